#include "interp/breadth.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "kernels/memory/copy.h"
#include "kernels/ops/readout_stats/readout_stats.h"
#include "models/train/watchdog.h"

namespace sv {

namespace {

/// One run of one example by one model.
struct Run {
  std::vector<int32_t> answer;  // (T)
  double residual = 0;
  double score = kNaN;
  bool right = false;
};

/// (M, items, breadth)
class Runs {
 public:
  Runs(int64_t models, int64_t items, int64_t breadth)
      : items_(items), breadth_(breadth), runs_(static_cast<size_t>(models * items * breadth)) {}
  Run& at(int64_t m, int64_t i, int64_t copy) {
    return runs_[static_cast<size_t>((m * items_ + i) * breadth_ + copy)];
  }
  std::span<const Run> of(int64_t m, int64_t i, int breadth) {
    return {&at(m, i, 0), static_cast<size_t>(breadth)};
  }

 private:
  int64_t items_, breadth_;
  std::vector<Run> runs_;
};

/// Mean relative change of the last `window` periods of row (m, b) of a run.
double mean_change(const Tensor& residual, int updates, int64_t m, int64_t b) {
  const int64_t made = residual.dim(0);
  double sum = 0;
  for (int64_t r = made - updates; r < made; ++r) {
    sum += element(residual, (r * residual.dim(1) + m) * residual.dim(2) + b);
  }
  return sum / updates;
}

/// All examples once, with numbers of their own.
void run_copy(Reasoner& model,
              const Dataset& data,
              const BreadthOptions& o,
              int64_t items,
              int copy,
              Runs& runs) {
  const int updates = std::min(o.window, o.depth) * model.schedule().period();
  for_each_group(model, data, items, o.run, false, [&](const GroupRun& group) {
    Batch batch = group.batch;
    for (int64_t& id : batch.index) {
      id += copy * data.size();
    }
    const GroupRun mine{group.members, batch, group.first, group.ctx, group.packed, group.options};
    Plan plan;
    plan.depth = Depth::fixed(o.depth);
    plan.save.residual = true;
    Trajectory out;
    mine.unroll(model, plan, out);
    const Readout& y = out.readouts.back();
    Tensor answer = make_tensor(
        *group.ctx.arena, {group.models(model), batch.size, batch.positions}, DType::i32);
    ops::argmax(group.ctx, y.logits.value(), answer);
    answer = to_host(group.ctx, answer);
    const Tensor residual = to_host(group.ctx, out.residual);
    const Tensor halt = y.halt ? to_host(group.ctx, y.halt.value()) : Tensor{};
    for (int m = 0; m < group.models(model); ++m) {
      for (int b = 0; b < batch.size; ++b) {
        const int64_t row = int64_t{m} * batch.size + b;
        const int32_t* got = answer.as<int32_t>() + row * batch.positions;
        Run& run = runs.at(group.members.first + m, group.first + b, copy);
        run.answer.assign(got, got + batch.positions);
        run.residual = mean_change(residual, updates, m, b);
        run.score = halt && halt.shape.rank() == 2 ? element(halt, row) : kNaN;
        const Score s = score_answers(got, batch, 0, {b, 1}, y.r);
        run.right = s.answers > 0 && s.right == s.answers;
      }
    }
  });
}

/// The earliest of the runs whose answer is given most often.
const Run& most_frequent(std::span<const Run> runs) {
  std::map<std::vector<int32_t>, int> votes;
  for (const Run& run : runs) {
    ++votes[run.answer];
  }
  return *std::ranges::max_element(runs, {}, [&](const Run& run) { return votes.at(run.answer); });
}

}  // namespace

BreadthResult evaluate_breadth(Reasoner& model, const Dataset& data, const BreadthOptions& o) {
  SV_CHECK(!o.breadths.empty() && std::ranges::is_sorted(o.breadths) && o.breadths[0] >= 1,
           "breadths must be ascending and at least 1");
  const int64_t items = o.items == 0 ? data.size() : o.items;
  const int breadth = o.breadths.back();
  SV_CHECK(data.size() * breadth < (int64_t{1} << 31), "too many runs: ", data.size() * breadth);
  Runs runs(model.models(), items, breadth);
  for (int copy = 0; copy < breadth; ++copy) {
    run_copy(model, data, o, items, copy, runs);
  }
  SV_CHECK(
      breadth == 1 || runs.at(0, 0, 0).residual != runs.at(0, 0, 1).residual,
      "two runs of an example are equal: nothing about this model is random (model.init=random "
      "or model.noise)");
  BreadthResult out;
  out.evidence = evidence_of(model, items, o.trained);
  out.breadths = o.breadths;
  const auto share = [&](const auto& right) {
    Grid grid = make_grid(static_cast<size_t>(model.models()), o.breadths.size());
    for (size_t m = 0; m < grid.size(); ++m) {
      for (size_t k = 0; k < o.breadths.size(); ++k) {
        for (int64_t i = 0; i < items; ++i) {
          grid[m][k] += right(runs.of(static_cast<int64_t>(m), i, o.breadths[k]));
        }
        grid[m][k] /= static_cast<double>(items);
      }
    }
    return grid;
  };
  const auto truth = [](const Run& run) { return run.right ? 1.0 : 0.0; };
  out.single = share([&](std::span<const Run> r) {
    double sum = 0;
    for (const Run& run : r) {
      sum += truth(run);
    }
    return sum / static_cast<double>(r.size());
  });
  out.residual = share([&](std::span<const Run> r) {
    return truth(*std::ranges::min_element(r, {}, &Run::residual));
  });
  if (runs.at(0, 0, 0).score == runs.at(0, 0, 0).score) {
    out.score = share([&](std::span<const Run> r) {
      return truth(*std::ranges::max_element(r, {}, &Run::score));
    });
  }
  out.vote = share([&](std::span<const Run> r) { return truth(most_frequent(r)); });
  out.any = share(
      [&](std::span<const Run> r) { return std::ranges::any_of(r, &Run::right) ? 1.0 : 0.0; });
  return out;
}

}  // namespace sv
