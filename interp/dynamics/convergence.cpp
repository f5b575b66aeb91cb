#include "interp/dynamics/convergence.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/memory/copy.h"

namespace sv {

namespace {

/// The last two states of a batch, in host memory.
struct History {
  std::vector<double> now, before, earlier;  // (M, B, parts * T * W)
  void push(std::vector<double> next) {
    earlier = std::move(before);
    before = std::move(now);
    now = std::move(next);
  }
};

/// Parts side by side; positions behind an example's length count as zero.
std::vector<double> flatten(const Context& ctx,
                            const State& h,
                            const Schedule& schedule,
                            const Batch& batch) {
  std::array<Tensor, kMaxParts> here;
  for (size_t p = 0; p < schedule.parts.size(); ++p) {
    here[p] = to_host_later(ctx, h[static_cast<int>(p)].value());
  }
  finish_copies(ctx);
  std::vector<double> out;
  for (int64_t m = 0; m < here[0].dim(0); ++m) {
    for (int64_t b = 0; b < batch.size; ++b) {
      const int64_t positions = schedule.prefix + batch.lengths[static_cast<size_t>(b)];
      for (size_t p = 0; p < schedule.parts.size(); ++p) {
        const Tensor& x = here[p];
        const int64_t size = x.numel() / (x.dim(0) * x.dim(1));
        const int64_t used = x.shape.rank() == 4 ? size / x.dim(2) * positions : size;
        with_float(x.dtype, [&]<class T>() {
          const T* row = x.as<T>() + (m * x.dim(1) + b) * size;
          for (int64_t i = 0; i < size; ++i) {
            out.push_back(i < used ? static_cast<double>(row[i]) : 0);
          }
        });
      }
    }
  }
  return out;
}

struct Step {
  double residual = 0, turn = kNaN, radial = 0;
};

Step measure(const History& h, size_t begin, size_t size) {
  double norm = 0;
  double step = 0;
  double along = 0;
  double last = 0;
  double both = 0;
  for (size_t i = begin; i < begin + size; ++i) {
    const double d = h.now[i] - h.before[i];
    norm += h.now[i] * h.now[i];
    step += d * d;
    along += d * h.now[i];
    if (!h.earlier.empty()) {
      const double e = h.before[i] - h.earlier[i];
      last += e * e;
      both += d * e;
    }
  }
  Step s;
  s.residual = norm > 0 ? std::sqrt(step / norm) : 0;
  s.radial = step > 0 && norm > 0 ? along * along / (step * norm) : 0;
  s.turn = step > 0 && last > 0 ? both / std::sqrt(step * last) : kNaN;
  return s;
}

StepGeometry geometry(Reasoner& model,
                      const Dataset& data,
                      int64_t items,
                      const DynamicsOptions& options) {
  const auto models = static_cast<size_t>(model.models());
  const auto updates = static_cast<size_t>(options.depth * model.schedule().period());
  StepGeometry out{
      make_grid(models, updates), make_grid(models, updates), make_grid(models, updates)};
  Grid turns = make_grid(models, updates);
  Workspace memory(model.params().device(), kRunBlock);
  const PackedWeights packed = pack_weights(model, options.run.threads);
  for_each_batch(data, 0, items, options.run.batch, [&](const Batch& batch) {
    memory.reset();
    Tape tape(memory.context(options.run.threads), false);
    History history;
    Plan plan;
    plan.depth = Depth::fixed(options.depth);
    plan.save.readouts = SaveAt::Readouts::none;
    plan.packed = &packed;
    plan.on_update = [&](const Update& u) {
      history.push(flatten(tape.ctx, u.h, model.schedule(), batch));
      if (history.before.empty()) {
        // The state before the first update is where most models start: zero. Its step is h_1.
        history.before.assign(history.now.size(), 0);
      }
      const size_t size = history.now.size() / (models * static_cast<size_t>(batch.size));
      const auto r = static_cast<size_t>(u.r - 1);
      run_tasks(static_cast<int64_t>(models), options.run.threads, [&](int64_t m, int) {
        const auto k = static_cast<size_t>(m);
        for (size_t b = 0; b < static_cast<size_t>(batch.size); ++b) {
          const Step s = measure(history, (k * static_cast<size_t>(batch.size) + b) * size, size);
          out.residual[k][r] += s.residual;
          out.radial[k][r] += s.radial;
          out.turn[k][r] += std::isfinite(s.turn) ? s.turn : 0;
          turns[k][r] += std::isfinite(s.turn) ? 1 : 0;
        }
      });
    };
    Trajectory trajectory;
    unroll(model, load_inputs(tape.ctx, batch), plan, tape, trajectory);
    options.run.note(trajectory);
  });
  for (size_t m = 0; m < models; ++m) {
    for (size_t r = 0; r < updates; ++r) {
      out.residual[m][r] /= static_cast<double>(items);
      out.radial[m][r] /= static_cast<double>(items);
      out.turn[m][r] = turns[m][r] > 0 ? out.turn[m][r] / turns[m][r] : kNaN;
    }
  }
  return out;
}

}  // namespace

ConvergenceResult convergence(Reasoner& model,
                              const Dataset& data,
                              const DynamicsOptions& options) {
  const int64_t items = options.items == 0 ? data.size() : options.items;
  ConvergenceResult out;
  out.evidence = evidence_of(model, items, options.trained);
  for (int r = 1; r <= options.depth * model.schedule().period(); ++r) {
    out.updates.push_back(r);
  }
  out.trained = geometry(model, data, items, options);
  out.residual_interval = column_intervals(out.trained.residual, options.bootstrap);
  out.turn_interval = column_intervals(out.trained.turn, options.bootstrap);
  out.radial_interval = column_intervals(out.trained.radial, options.bootstrap);
  if (options.untrained != nullptr) {
    out.untrained = geometry(*options.untrained, data, items, options);
  }
  return out;
}

SettledTable settled_table(const DepthCurves& curves, double threshold) {
  const ItemScores& s = curves.scores;
  SettledTable out;
  out.threshold = threshold;
  const int64_t d = s.depths - 1;
  for (int64_t m = 0; m < s.models; ++m) {
    std::array<int64_t, 4> count{};
    for (int64_t i = 0; i < s.items; ++i) {
      const bool settled = static_cast<double>(s.residual[s.at(d, m, i)]) < threshold;
      if (s.asked(d, i)) {
        ++count[(settled ? 0U : 2U) + (s.solved(d, m, i) ? 0U : 1U)];
      }
    }
    out.settled_right.push_back(count[0]);
    out.settled_wrong.push_back(count[1]);
    out.moving_right.push_back(count[2]);
    out.moving_wrong.push_back(count[3]);
  }
  return out;
}

HoldRates hold_rates(const DepthCurves& curves) {
  const ItemScores& s = curves.scores;
  SV_CHECK(s.depths > 1, "hold rates need at least two depths");
  HoldRates out;
  out.depths.assign(curves.depths.begin(), curves.depths.end() - 1);
  const auto models = static_cast<size_t>(s.models);
  const auto columns = static_cast<size_t>(s.depths - 1);
  out.hold = out.independent = make_grid(models, columns, kNaN);
  for (int64_t m = 0; m < s.models; ++m) {
    for (int64_t d = 0; d + 1 < s.depths; ++d) {
      int64_t right = 0;
      int64_t held = 0;
      for (int64_t i = 0; i < s.items; ++i) {
        right += s.solved(d, m, i) ? 1 : 0;
        held += s.solved(d, m, i) && s.solved(d + 1, m, i) ? 1 : 0;
      }
      const auto k = static_cast<size_t>(m);
      const auto c = static_cast<size_t>(d);
      out.hold[k][c] = right > 0 ? static_cast<double>(held) / static_cast<double>(right) : kNaN;
      out.independent[k][c] = curves.exact[k][c + 1];
    }
    int64_t reached = 0;
    int64_t lost = 0;
    double first = 0;
    for (int64_t i = 0; i < s.items; ++i) {
      int64_t d = 0;
      while (d < s.depths && !s.solved(d, m, i)) {
        ++d;
      }
      if (d < s.depths) {
        ++reached;
        first += curves.depths[static_cast<size_t>(d)];
        lost += s.solved(s.depths - 1, m, i) ? 0 : 1;
      }
    }
    const auto n = static_cast<double>(reached);
    out.reached.push_back(reached);
    out.leave.push_back(reached > 0 ? static_cast<double>(lost) / n : kNaN);
    out.settle.push_back(reached > 0 ? first / n : kNaN);
  }
  return out;
}

}  // namespace sv
