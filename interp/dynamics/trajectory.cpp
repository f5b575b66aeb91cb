#include "interp/dynamics/trajectory.h"

#include <algorithm>
#include <cmath>

#include "kernels/linalg/pca.h"
#include "kernels/ops/readout_stats/readout_stats.h"
#include "models/train/watchdog.h"

namespace sv {

namespace {

/// All states of one batch: (updates + 1) x (M, B, T * D), and who is solved after each update.
struct Orbit {
  int64_t models = 0, rows = 0, width = 0;
  std::vector<std::vector<float>> states;
  std::vector<std::vector<uint8_t>> solved;  // (updates) x (M, B)
  const float* at(size_t r, int64_t m, int64_t b) const {
    return states[r].data() + (m * rows + b) * width;
  }
};

Orbit run_batch(Reasoner& model, const Batch& batch, const DynamicsOptions& o, Arena& arena) {
  arena.reset();
  const Inputs inputs = load_inputs(arena, batch);
  Context ctx{&arena, o.run.threads, {}};
  Tape tape(ctx, false);
  Orbit out;
  out.models = model.models();
  out.rows = batch.size;
  const int last_part = static_cast<int>(model.schedule().parts.size()) - 1;
  const auto keep = [&](const State& h) {
    const Tensor x = h[last_part].value();
    out.width = x.numel() / (out.models * out.rows);
    out.states.emplace_back(x.as<float>(), x.as<float>() + x.numel());
  };
  Plan plan;
  plan.depth = Depth::fixed(o.updates / model.schedule().period());
  plan.save.readouts = SaveAt::Readouts::every;
  plan.save.states = {0};
  plan.on_update = [&](const Update& u) {
    keep(u.h);
    const ArenaScope scope(arena);
    const Tensor answer = make_tensor(arena, {out.models, out.rows, batch.positions}, DType::i32);
    ops::argmax(ctx, u.logits, answer);
    std::vector<uint8_t> solved;
    for (int m = 0; m < static_cast<int>(out.models); ++m) {
      for (int b = 0; b < batch.size; ++b) {
        const int32_t* want = batch.target(0, b, u.r);
        const int32_t* got = answer.as<int32_t>() + (m * out.rows + b) * batch.positions;
        bool all = true;
        for (int t = 0; t < batch.positions; ++t) {
          all = all && (want[t] < 0 || want[t] == got[t]);
        }
        solved.push_back(all ? 1 : 0);
      }
    }
    out.solved.push_back(std::move(solved));
  };
  Trajectory trajectory;
  unroll(model, inputs, plan, tape, trajectory);
  const Tensor first = trajectory.states.front().second[last_part].value();
  out.states.emplace(out.states.begin(), first.as<float>(), first.as<float>() + first.numel());
  return out;
}

/// ||b - a||, ||b|| and the cosine between (b - a) and (c - b).
struct StepGeometry {
  double change = 0, cosine = 0;
};
StepGeometry geometry(const float* before, const float* here, const float* after, int64_t width) {
  double first = 0, second = 0, dot = 0, norm = 0;
  for (int64_t i = 0; i < width; ++i) {
    const double a = static_cast<double>(here[i]) - before[i];
    const double b = static_cast<double>(after[i]) - here[i];
    first += a * a;
    second += b * b;
    dot += a * b;
    norm += static_cast<double>(after[i]) * after[i];
  }
  return {norm > 0 ? std::sqrt(second / norm) : 0,
          first > 0 && second > 0 ? dot / std::sqrt(first * second) : NAN};
}

/// Running sums of one model.
struct Tally {
  std::vector<double> change, turn, turns, held, solved;
  std::array<double, 4> table{};
};

void add_row(Tally& t, const Orbit& orbit, int64_t m, int64_t b, double settled_below) {
  const size_t updates = orbit.solved.size();
  const auto cell = static_cast<size_t>(m * orbit.rows + b);
  double last_change = 0;
  for (size_t r = 1; r <= updates; ++r) {
    const StepGeometry g = geometry(
        orbit.at(r > 1 ? r - 2 : 0, m, b), orbit.at(r - 1, m, b), orbit.at(r, m, b), orbit.width);
    t.change[r - 1] += g.change;
    last_change = g.change;
    if (r > 1 && std::isfinite(g.cosine)) {
      t.turn[r - 1] += std::acos(std::clamp(g.cosine, -1.0, 1.0));
      t.turns[r - 1] += 1;
    }
    if (orbit.solved[r - 1][cell] != 0 && r < updates) {
      t.solved[r - 1] += 1;
      t.held[r - 1] += orbit.solved[r][cell];
    }
  }
  const bool settled = last_change < settled_below;
  const bool solved = orbit.solved.back()[cell] != 0;
  t.table[(settled ? 0 : 2) + (solved ? 0 : 1)] += 1;
}

/// One plane per model, from the states of its drawn examples.
void add_paths(DynamicsResult& out, const Orbit& orbit, const Batch& batch, int count) {
  const size_t steps = orbit.states.size();
  out.explained = make_grid(static_cast<size_t>(orbit.models), 2);
  for (int64_t m = 0; m < orbit.models; ++m) {
    std::vector<double> rows;
    for (int64_t b = 0; b < count; ++b) {
      for (size_t r = 0; r < steps; ++r) {
        rows.insert(rows.end(), orbit.at(r, m, b), orbit.at(r, m, b) + orbit.width);
      }
    }
    const linalg::Pca plane = linalg::pca(rows, orbit.width, 2);
    const std::vector<double> xy = plane.project(rows);
    out.explained[static_cast<size_t>(m)] = plane.explained;
    for (int64_t b = 0; b < count; ++b) {
      Path path{batch.index[static_cast<size_t>(b)],
                static_cast<int>(m),
                orbit.solved.back()[static_cast<size_t>(m * orbit.rows + b)] != 0,
                {}};
      for (size_t r = 0; r < steps; ++r) {
        const size_t i = 2 * (static_cast<size_t>(b) * steps + r);
        path.points.push_back({xy[i], xy[i + 1]});
      }
      out.paths.push_back(std::move(path));
    }
  }
}

}  // namespace

DynamicsResult dynamics(Reasoner& model, const Dataset& data, const DynamicsOptions& o) {
  SV_CHECK(o.updates >= model.schedule().period() && o.updates % model.schedule().period() == 0,
           "dynamics runs whole periods of ",
           model.schedule().period(),
           " updates, not ",
           o.updates);
  const auto models = static_cast<size_t>(model.models());
  const auto updates = static_cast<size_t>(o.updates);
  const int64_t items = std::min(o.items, data.size());
  DynamicsResult out;
  out.evidence = evidence_of(model, items, o.trained);
  for (int r = 1; r <= o.updates; ++r) {
    out.updates.push_back(r);
  }
  const std::vector<double> zeros(updates, 0);
  std::vector<Tally> tallies(models, Tally{zeros, zeros, zeros, zeros, zeros, {}});
  Arena arena;
  for_each_batch(data, 0, items, o.run.batch, [&](const Batch& batch) {
    const Orbit orbit = run_batch(model, batch, o, arena);
#pragma omp parallel for num_threads(o.run.threads) schedule(static)
    for (int64_t m = 0; m < orbit.models; ++m) {
      for (int64_t b = 0; b < orbit.rows; ++b) {
        add_row(tallies[static_cast<size_t>(m)], orbit, m, b, o.settled_below);
      }
    }
    if (out.paths.empty() && o.trajectories > 0) {
      add_paths(out, orbit, batch, std::min(o.trajectories, batch.size));
    }
  });
  for (const Tally& t : tallies) {
    std::vector<double> residual, turn, hold;
    for (size_t r = 0; r < updates; ++r) {
      residual.push_back(t.change[r] / static_cast<double>(items));
      turn.push_back(t.turns[r] > 0 ? t.turn[r] / t.turns[r] : NAN);
      hold.push_back(t.solved[r] > 0 ? t.held[r] / t.solved[r] : NAN);
    }
    out.residual.push_back(residual);
    out.turn.push_back(turn);
    out.hold.push_back(hold);
    std::vector<double> table;
    for (const double n : t.table) {
      table.push_back(n / static_cast<double>(items));
    }
    out.settled_table.push_back(table);
  }
  return out;
}

}  // namespace sv
