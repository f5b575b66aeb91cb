// Evaluation under a halting rule: what each row answered when it stopped, and the work it left
// out.
#include <algorithm>
#include <cmath>
#include <map>

#include "interp/evaluate.h"
#include "kernels/memory/copy.h"
#include "kernels/ops/readout_stats/readout_stats.h"
#include "models/train/watchdog.h"

namespace sv {

namespace {

/// oracle: periods of every item, `scale` for each unit of its difficulty.
std::vector<int> oracle_periods(const Dataset& data, int64_t items, double scale) {
  std::vector<int> out;
  for (int64_t i = 0; i < items; ++i) {
    out.push_back(std::max(1, static_cast<int>(std::ceil(scale * data[i].difficulty))));
  }
  return out;
}

/// Means over the items of each difficulty, from what happened to every (model, item).
std::vector<HaltDifficulty> by_difficulty(const Dataset& data,
                                          int64_t items,
                                          const std::vector<int>& made,
                                          const std::vector<Score>& scores) {
  const size_t models = made.size() / static_cast<size_t>(items);
  std::map<int, HaltDifficulty> levels;
  for (int64_t i = 0; i < items; ++i) {
    HaltDifficulty& level = levels[data[i].difficulty];
    level.difficulty = data[i].difficulty;
    level.mean_updates.resize(models);
    level.exact.resize(models);
    ++level.items;
    for (size_t m = 0; m < models; ++m) {
      const size_t row = m * static_cast<size_t>(items) + static_cast<size_t>(i);
      level.mean_updates[m] += made[row];
      level.exact[m] += scores[row].exact();
    }
  }
  std::vector<HaltDifficulty> out;
  for (auto& [difficulty, level] : levels) {
    for (size_t m = 0; m < models; ++m) {
      level.mean_updates[m] /= static_cast<double>(level.items);
      level.exact[m] /= static_cast<double>(level.items);
    }
    out.push_back(std::move(level));
  }
  return out;
}

}  // namespace

void expect_graded(const Halt& rule, const TaskSpec& task) {
  SV_CHECK(rule.kind != Halt::Kind::oracle || !task.difficulty.empty(),
           "the oracle rule stops by difficulty, and the task ",
           task.name,
           " grades none");
}

HaltResult evaluate_halting(Reasoner& model, const Dataset& data, const HaltOptions& options) {
  SV_CHECK(options.rule.kind != Halt::Kind::none, "evaluation under halting needs a rule");
  expect_graded(options.rule, data.task().spec());
  const int64_t items = options.items == 0 ? data.size() : options.items;
  const auto models = static_cast<size_t>(model.models());
  HaltResult out;
  out.evidence = evidence_of(model, items, options.trained);
  out.max_updates = options.max_depth * model.schedule().period();
  out.count = make_grid(models, static_cast<size_t>(out.max_updates));
  for (int r = 1; r <= out.max_updates; ++r) {
    out.updates.push_back(r);
  }
  // Per (model, row), written by one group each and added up afterwards.
  std::vector<Score> scores(models * static_cast<size_t>(items));
  std::vector<int> made(scores.size()), chosen(scores.size());
  std::vector<int> periods;
  if (options.rule.kind == Halt::Kind::oracle) {
    periods = oracle_periods(data, items, options.rule.threshold);
  }
  const Batch all = data.range(0, static_cast<int>(items));
  Plan plan;
  plan.depth = Depth::fixed(options.max_depth);
  plan.halt = options.rule;
  plan.periods = &periods;
  const auto keep = [&](const Context& ctx, const Exits& exits) {
    const Shape& logits = exits.logits.shape;
    Tensor answer = make_tensor(*ctx.arena, {1, logits[1], logits[2]}, DType::i32);
    ops::argmax(ctx, exits.logits, answer);
    answer = to_host(ctx, answer);
    for (size_t i = 0; i < exits.rows.size(); ++i) {
      const int item = exits.rows[i];
      const size_t row = static_cast<size_t>(exits.model * items + item);
      const int32_t* got = answer.as<int32_t>() + static_cast<int64_t>(i) * all.positions;
      made[row] = exits.steps[i];
      chosen[row] = exits.chosen[i];
      scores[row] = score_answers(got, all, 0, {item, 1}, chosen[row]);
    }
  };
  const int64_t row_updates = run_to_halt(model, data, items, options.run, plan, keep);
  std::vector<Score> score(models);
  std::vector<double> sum(models), never(models);
  for (size_t row = 0; row < scores.size(); ++row) {
    const size_t m = row / static_cast<size_t>(items);
    score[m].add(scores[row]);
    out.count[m][static_cast<size_t>(chosen[row] - 1)] += 1;
    sum[m] += made[row];
    never[m] += made[row] == out.max_updates ? 1 : 0;
  }
  out.by_difficulty = by_difficulty(data, items, made, scores);
  const auto count = static_cast<double>(items);
  for (size_t m = 0; m < models; ++m) {
    out.accuracy.push_back(score[m].accuracy());
    out.exact.push_back(score[m].exact());
    out.mean_updates.push_back(sum[m] / count);
    out.saved.push_back(1 - out.mean_updates[m] / out.max_updates);
    out.never.push_back(never[m] / count);
  }
  out.work_saved =
      1 - static_cast<double>(row_updates) /
              (static_cast<double>(models) * static_cast<double>(items) * out.max_updates);
  out.accuracy_interval = bootstrap_interval(out.accuracy, options.bootstrap);
  out.exact_interval = bootstrap_interval(out.exact, options.bootstrap);
  out.saved_interval = bootstrap_interval(out.saved, options.bootstrap);
  return out;
}

}  // namespace sv
