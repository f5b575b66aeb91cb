#include "data/written.h"

#include <algorithm>

#include "core/check.h"
#include "data/task_of.h"

namespace sv {

int written_length(const Written& w) {
  size_t length = w.question.size() + w.answer.size() + 3;
  for (const auto& step : w.steps) {
    length += step.size();
  }
  return static_cast<int>(length);
}

void describe_written(int positions, int symbols, int most_steps, TaskSpec* spec) {
  spec->positions = positions;
  spec->vocab = spec->answers = kFirstSymbol + symbols;
  spec->target_steps = 1;
  spec->causal = true;
  spec->written_steps = most_steps;
}

Example write_out(const TaskSpec& spec, const Written& w) {
  SV_CHECK(written_length(w) <= spec.positions && std::ssize(w.steps) <= spec.written_steps,
           "task ",
           spec.name,
           ": a written solution of ",
           written_length(w),
           " symbols and ",
           w.steps.size(),
           " steps");
  Example e = blank_example(spec);
  e.roles.assign(static_cast<size_t>(spec.positions), -1);
  size_t t = 0;
  const auto put = [&](int32_t symbol, int role) {
    e.tokens[t] = symbol;
    e.roles[t++] = role;
  };
  const auto put_all = [&](const std::vector<int32_t>& symbols, int role) {
    for (const int32_t symbol : symbols) {
      put(symbol, role);
    }
  };
  put_all(w.question, 0);
  put(kThinkMark, 0);
  for (size_t k = 0; k < w.steps.size(); ++k) {
    put_all(w.steps[k], static_cast<int>(k) + 1);
  }
  put(kAnswerMark, spec.answer_role());
  put_all(w.answer, spec.answer_role());
  put(kEndMark, spec.answer_role());
  for (size_t at = w.question.size(); at + 1 < t; ++at) {
    e.targets[at] = e.tokens[at + 1];
  }
  e.length = static_cast<int>(t);
  return e;
}

std::optional<std::string> mark_text(int id) {
  constexpr std::array<const char*, kFirstSymbol> kText{"pad", "||", "####", "end"};
  return id < kFirstSymbol ? std::optional<std::string>(kText[static_cast<size_t>(id)])
                           : std::nullopt;
}

int place_of(const Example& e, WrittenMark mark) {
  return static_cast<int>(std::find(e.tokens.begin(), e.tokens.end(), mark) - e.tokens.begin());
}

bool Task::accepts(const Example& e, std::span<const int32_t> answer) const {
  SV_CHECK(!e.roles.empty(), "task ", spec().name, " has no written answers");
  std::vector<int32_t> own;
  for (size_t t = 0; t < e.tokens.size(); ++t) {
    if (e.roles[t] == spec().answer_role() && e.tokens[t] >= kFirstSymbol) {
      own.push_back(e.tokens[t]);
    }
  }
  return std::ranges::equal(own, answer);
}

}  // namespace sv
