// Trajectories in the plane of the two first principal axes, one projection per model.
#include <numeric>

#include "interp/dynamics/convergence.h"
#include "kernels/linalg/pca.h"
#include "kernels/memory/copy.h"
#include "kernels/ops/readout_stats/readout_stats.h"

namespace sv {

namespace {

/// Appends row (m, b) of every part, at one position or at all.
void append_row(
    std::span<const Tensor> parts, int64_t m, int64_t b, int position, std::vector<double>& out) {
  for (const Tensor& x : parts) {
    const int64_t size = x.numel() / (x.dim(0) * x.dim(1));
    const int64_t width = x.shape.rank() == 4 && position >= 0 ? x.dim(3) : size;
    const int64_t skip = width == size ? 0 : position * width;
    with_float(x.dtype, [&]<class T>() {
      const T* row = x.as<T>() + (m * x.dim(1) + b) * size + skip;
      out.insert(out.end(), row, row + width);
    });
  }
}

}  // namespace

std::vector<Trajectory2d> trajectories(Reasoner& model,
                                       const Dataset& data,
                                       const std::vector<int64_t>& examples,
                                       int depth,
                                       int position,
                                       int threads) {
  const TaskSpec& spec = data.task().spec();
  SV_CHECK(!examples.empty(), "trajectories of no examples");
  SV_CHECK(position >= -1 && position < spec.positions, "position ", position);
  std::vector<Example> chosen;
  for (const int64_t i : examples) {
    SV_CHECK(i >= 0 && i < data.size(), "example ", i, " of ", data.size());
    chosen.push_back(data[i]);
  }
  const Batch batch = batch_of(chosen, spec);
  const int last = depth * model.schedule().period();
  const size_t parts = model.schedule().parts.size();
  const int place = position < 0 ? -1 : model.schedule().prefix + position;  // in the state
  Workspace memory(model.params().device(), kRunBlock);
  Tape tape(memory.context(threads), false);
  Plan plan;
  plan.depth = Depth::fixed(depth);
  plan.save.states.resize(static_cast<size_t>(last) + 1);
  std::iota(plan.save.states.begin(), plan.save.states.end(), 0);
  const PackedWeights packed = pack_weights(model, threads);
  plan.packed = &packed;
  Trajectory run;
  unroll(model, load_inputs(tape.ctx, batch), plan, tape, run);
  Tensor answer =
      make_tensor(tape.arena(), {model.models(), batch.size, batch.positions}, DType::i32);
  ops::argmax(tape.ctx, run.readouts.back().logits.value(), answer);
  answer = to_host_later(tape.ctx, answer);
  std::vector<std::vector<Tensor>> states;  // (updates, parts) in host memory
  for (const auto& [r, state] : run.states) {
    std::vector<Tensor>& here = states.emplace_back();
    for (size_t p = 0; p < parts; ++p) {
      here.push_back(to_host_later(tape.ctx, state[static_cast<int>(p)].value()));
    }
  }
  finish_copies(tape.ctx);
  std::vector<Trajectory2d> out;
  for (int m = 0; m < model.models(); ++m) {
    std::vector<double> rows;  // (examples, updates, width)
    for (int b = 0; b < batch.size; ++b) {
      for (const std::vector<Tensor>& here : states) {
        append_row(here, m, b, place, rows);
      }
    }
    const size_t count = examples.size() * run.states.size();
    const linalg::Pca axes = linalg::pca(rows, static_cast<int64_t>(rows.size() / count), 2);
    const std::vector<double> points = axes.project(rows);
    for (int b = 0; b < batch.size; ++b) {
      Trajectory2d& t = out.emplace_back();
      t.index = examples[static_cast<size_t>(b)];
      t.seed = model.params().seeds()[static_cast<size_t>(m)];
      t.difficulty = batch.difficulty[static_cast<size_t>(b)];
      t.explained = {axes.explained[0], axes.explained[1]};
      const int32_t* want = batch.target(0, b, last);
      const int32_t* got =
          answer.as<int32_t>() + (static_cast<int64_t>(m) * batch.size + b) * batch.positions;
      t.solved = true;
      for (int p = 0; p < batch.positions; ++p) {
        t.solved = t.solved && (want[p] < 0 || want[p] == got[p]);
      }
      for (size_t i = 0; i < run.states.size(); ++i) {
        const size_t at = (static_cast<size_t>(b) * run.states.size() + i) * 2;
        t.updates.push_back(run.states[i].first);
        t.point.push_back({points[at], points[at + 1]});
      }
    }
  }
  return out;
}

}  // namespace sv
