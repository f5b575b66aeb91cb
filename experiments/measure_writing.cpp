// Solutions that a model writes: questions of the held-out set, decoded position by position.
#include <fmt/format.h>

#include <algorithm>

#include "data/written.h"
#include "experiments/measure.h"
#include "models/decode.h"

namespace sv {

namespace {

/// The questions, with the mark that asks for the first step.
Prompts prompts_of(const Dataset& data, int count) {
  const int positions = data.task().spec().positions;
  Prompts out;
  out.positions = positions;
  for (int b = 0; b < count; ++b) {
    const Example& e = data[b];
    out.tokens.insert(out.tokens.end(), e.tokens.begin(), e.tokens.end());
    out.length.push_back(place_of(e, kThinkMark) + 1);
    out.ids.push_back(b);
  }
  return out;
}

/// What stands between #### and the end mark; nothing if a mark is missing.
std::span<const int32_t> answer_in(std::span<const int32_t> text) {
  const auto begin = std::find(text.begin(), text.end(), kAnswerMark);
  const auto end = std::find(begin, text.end(), kEndMark);
  return end == text.end() ? std::span<const int32_t>{} : std::span<const int32_t>(begin + 1, end);
}

std::string text_of(const Task& task, std::span<const int32_t> symbols) {
  std::string out;
  for (const int32_t s : symbols) {
    out += (out.empty() ? "" : " ") + task.token_text(s);
  }
  return out;
}

}  // namespace

void measure_writing(Measured& run, const WritingMeasure& what) {
  const Dataset& data = run.bench.test_set();
  const Task& task = data.task();
  SV_CHECK(task.spec().written_steps >= 0,
           "task ",
           task.spec().name,
           " has no written solutions; those of pointer_chase form=steps, multiplication or prosqa "
           "have");
  const int count = static_cast<int>(std::min<int64_t>(what.examples, data.size()));
  const int depth = what.depth > 0 ? what.depth : run.train_max();
  const CachePolicy policy = CachePolicy::parse(what.cache);
  Decoder decoder(*run.model, task.spec().positions, Depth::fixed(depth), policy, run.threads);
  const Prompts prompts = prompts_of(data, count);
  const Continuation written = generate(decoder, prompts, {what.temperature, kEndMark});
  const Provenance trained = run.provenance();
  fmt::print(
      "written at depth {} with cache {} ({} entries, {:.1f} KiB): {} held-out questions ({} "
      "training examples, trained at depth {})\n{:<8}{:>10}{:>10}\n",
      depth,
      policy.text(),
      decoder.cache().slots(),
      static_cast<double>(decoder.cache().bytes()) / 1024,
      count,
      trained.train_items,
      trained.train_depth,
      "seed",
      "right",
      "symbols");
  const auto row = [&](int m, int b) {
    const auto at = static_cast<size_t>(m) * static_cast<size_t>(count) + static_cast<size_t>(b);
    return std::span(written.tokens)
        .subspan(at * static_cast<size_t>(prompts.positions),
                 static_cast<size_t>(written.length[at]));
  };
  for (int m = 0; m < run.model->models(); ++m) {
    int right = 0;
    double symbols = 0;
    for (int b = 0; b < count; ++b) {
      const auto text = row(m, b);
      right += task.accepts(data[b], answer_in(text)) ? 1 : 0;
      symbols += static_cast<double>(text.size()) - prompts.length[static_cast<size_t>(b)];
    }
    fmt::print("{:<8}{:>9.1f}%{:>10.1f}\n",
               run.model->params().seeds()[static_cast<size_t>(m)],
               100.0 * right / count,
               symbols / count);
  }
  for (int b = 0; b < std::min(what.shown, count); ++b) {
    fmt::print("{}\n", text_of(task, row(0, b)));
  }
}

}  // namespace sv
