// Evaluation under a halting rule: what each row answered when it stopped, and the work it left
// out.
#include <algorithm>

#include "interp/evaluate.h"
#include "kernels/ops/readout_stats/readout_stats.h"
#include "models/train/watchdog.h"

namespace sv {

namespace {

/// Scores row b of model m against the target that holds after its own last update.
void score_row(Score& score, const Batch& batch, const Tensor& answer, int m, int b, int last) {
  const int32_t* want = batch.target(0, b, last);
  const int32_t* got =
      answer.as<int32_t>() + (static_cast<int64_t>(m) * batch.size + b) * batch.positions;
  int64_t asked = 0;
  int64_t right = 0;
  for (int t = 0; t < batch.positions; ++t) {
    asked += want[t] >= 0 ? 1 : 0;
    right += want[t] >= 0 && want[t] == got[t] ? 1 : 0;
  }
  score.add({right, asked, asked > 0 && right == asked ? 1 : 0, asked > 0 ? 1 : 0});
}

}  // namespace

HaltResult evaluate_halting(Reasoner& model, const Dataset& data, const HaltOptions& options) {
  SV_CHECK(options.rule.kind != Halt::Kind::none, "evaluation under halting needs a rule");
  const int64_t items = options.items == 0 ? data.size() : options.items;
  const auto models = static_cast<size_t>(model.models());
  HaltResult out;
  out.evidence = evidence_of(model, items, options.trained);
  out.max_updates = options.max_depth * model.schedule().period();
  out.count = make_grid(models, static_cast<size_t>(out.max_updates));
  for (int r = 1; r <= out.max_updates; ++r) {
    out.updates.push_back(r);
  }
  std::vector<Score> score(models);
  int64_t row_updates = 0;
  Arena arena;
  Trajectory trajectory;
  for_each_batch(data, 0, items, options.run.batch, [&](const Batch& batch) {
    const ArenaScope scope(arena);
    Tape tape({&arena, options.run.threads, {}}, false);
    Plan plan;
    plan.depth = Depth::fixed(options.max_depth);
    plan.halt = options.rule;
    unroll(model, load_inputs(arena, batch), plan, tape, trajectory);
    const Tensor answer =
        make_tensor(arena, {model.models(), batch.size, batch.positions}, DType::i32);
    ops::argmax(tape.ctx, trajectory.exit_logits, answer);
    row_updates += trajectory.row_updates;
    for (size_t m = 0; m < models; ++m) {
      for (int b = 0; b < batch.size; ++b) {
        const int last =
            trajectory.steps[m * static_cast<size_t>(batch.size) + static_cast<size_t>(b)];
        out.count[m][static_cast<size_t>(last - 1)] += 1;
        score_row(score[m], batch, answer, static_cast<int>(m), b, last);
      }
    }
  });
  for (size_t m = 0; m < models; ++m) {
    double sum = 0;
    for (int r = 1; r <= out.max_updates; ++r) {
      sum += r * out.count[m][static_cast<size_t>(r - 1)];
    }
    out.accuracy.push_back(score[m].accuracy());
    out.exact.push_back(score[m].exact());
    out.mean_updates.push_back(sum / static_cast<double>(items));
    out.saved.push_back(1 - out.mean_updates[m] / out.max_updates);
    out.never.push_back(out.count[m].back() / static_cast<double>(items));
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
