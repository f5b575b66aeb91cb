#include "interp/evaluate.h"

#include <algorithm>
#include <atomic>
#include <map>

#include "kernels/memory/copy.h"
#include "kernels/ops/readout_stats/readout_stats.h"
#include "models/train/watchdog.h"

namespace sv {

namespace {

constexpr float kMissing = 0;

/// Right answers at positions of one difficulty.
struct PositionCounts {
  std::vector<int64_t> right;    // (depths, M)
  std::vector<int64_t> answers;  // (depths)
};

/// Sums of one evaluation, filled group by group; groups come at the same time.
class Collector {
 public:
  Collector(const Reasoner& model, const Dataset& data, const std::vector<int>& updates, int64_t n)
      : data_(data), updates_(updates) {
    scores_.depths = static_cast<int64_t>(updates.size());
    scores_.models = model.models();
    scores_.items = n;
    scores_.right.assign(static_cast<size_t>(scores_.depths * scores_.models * n), 0);
    scores_.answers.assign(static_cast<size_t>(scores_.depths * n), 0);
    scores_.residual.assign(scores_.right.size(), kMissing);
    for (int64_t i = 0; i < n; ++i) {
      for (const int32_t level : data[i].position_difficulty) {
        if (level >= 0) {
          PositionCounts& counts = positions_[level];
          counts.right.resize(static_cast<size_t>(scores_.depths * scores_.models));
          counts.answers.resize(static_cast<size_t>(scores_.depths));
        }
      }
    }
  }

  /// answer i32 (models of the group, rows, T), in host memory.
  void take(const Update& u, const GroupRun& group, const Tensor& answer) {
    const Tensor residual = to_host(group.ctx, u.residual);
    const auto d = static_cast<int64_t>(std::lower_bound(updates_.begin(), updates_.end(), u.r) -
                                        updates_.begin());
    for (int64_t m = 0; m < answer.dim(0); ++m) {
      const int64_t place = group.members.first + m;
      for (int b = 0; b < group.batch.size; ++b) {
        const int64_t row = m * group.batch.size + b;
        score_row(d,
                  place,
                  group.first + b,
                  {group.batch.target(0, b, u.r), static_cast<size_t>(group.batch.positions)},
                  answer.as<int32_t>() + row * group.batch.positions);
        scores_.residual[scores_.at(d, place, group.first + b)] =
            static_cast<float>(element(residual, row));
      }
    }
  }

  ItemScores scores_;
  std::map<int, PositionCounts> positions_;

 private:
  void score_row(
      int64_t d, int64_t m, int64_t item, std::span<const int32_t> want, const int32_t* got) {
    const std::vector<int32_t>& level = data_[item].position_difficulty;
    int32_t asked = 0;
    int32_t right = 0;
    for (size_t t = 0; t < want.size(); ++t) {
      if (want[t] < 0) {
        continue;
      }
      const bool hit = got[t] == want[t];
      ++asked;
      right += hit ? 1 : 0;
      if (!level.empty() && level[t] >= 0) {
        PositionCounts& counts = positions_.at(level[t]);
        if (m == 0) {
          count(counts.answers[static_cast<size_t>(d)]);
        }
        if (hit) {
          count(counts.right[static_cast<size_t>(d * scores_.models + m)]);
        }
      }
    }
    if (m == 0) {
      scores_.answers[static_cast<size_t>(d * scores_.items + item)] = asked;
    }
    scores_.right[scores_.at(d, m, item)] = right;
  }
  /// Groups of other rows count in the same place.
  static void count(int64_t& n) {
    std::atomic_ref<int64_t>(n).fetch_add(1, std::memory_order_relaxed);
  }

  const Dataset& data_;
  const std::vector<int>& updates_;
};

/// (M, depths) shares of the items for which `of_level` holds.
void fill_shares(const ItemScores& s,
                 const std::vector<int64_t>& items,
                 Grid& accuracy,
                 Grid& exact) {
  accuracy = exact = make_grid(static_cast<size_t>(s.models), static_cast<size_t>(s.depths));
  for (int64_t m = 0; m < s.models; ++m) {
    for (int64_t d = 0; d < s.depths; ++d) {
      Score score;
      for (const int64_t i : items) {
        score.right += s.right[s.at(d, m, i)];
        score.answers += s.answers[static_cast<size_t>(d * s.items + i)];
        score.rows += s.asked(d, i) ? 1 : 0;
        score.right_rows += s.solved(d, m, i) ? 1 : 0;
      }
      accuracy[static_cast<size_t>(m)][static_cast<size_t>(d)] = score.accuracy();
      exact[static_cast<size_t>(m)][static_cast<size_t>(d)] = score.exact();
    }
  }
}

/// Numerators and denominators of some models for the bootstrap: of answers, or of whole items.
ItemTable table_of(const ItemScores& s, const std::vector<int>& models, bool exact) {
  ItemTable t{s.depths, static_cast<int64_t>(models.size()), s.items, {}, {}};
  for (int64_t d = 0; d < s.depths; ++d) {
    for (const int m : models) {
      for (int64_t i = 0; i < s.items; ++i) {
        const int32_t asked = s.answers[static_cast<size_t>(d * s.items + i)];
        t.numerator.push_back(exact ? (s.solved(d, m, i) ? 1.0F : 0.0F)
                                    : static_cast<float>(s.right[s.at(d, m, i)]));
        t.denominator.push_back(exact ? (asked > 0 ? 1.0F : 0.0F) : static_cast<float>(asked));
      }
    }
  }
  return t;
}

void fill_intervals(DepthCurves& out, const Bootstrap& bootstrap) {
  const ItemScores& s = out.scores;
  out.accuracy_interval = score_intervals(s, {}, false, bootstrap);
  out.exact_interval = score_intervals(s, {}, true, bootstrap);
  out.residual_interval = column_intervals(out.residual, bootstrap);
  for (int64_t m = 0; m < s.models; ++m) {
    out.accuracy_item_interval.push_back(
        score_intervals(s, {static_cast<int>(m)}, false, bootstrap));
    std::vector<Interval> exact;
    for (int64_t d = 0; d < s.depths; ++d) {
      int64_t solved = 0;
      int64_t asked = 0;
      for (int64_t i = 0; i < s.items; ++i) {
        solved += s.solved(d, m, i) ? 1 : 0;
        asked += s.asked(d, i) ? 1 : 0;
      }
      exact.push_back(wilson_interval(solved, asked, bootstrap.level));
    }
    out.exact_item_interval.push_back(exact);
  }
}

void fill_levels(DepthCurves& out,
                 const Dataset& data,
                 const std::map<int, PositionCounts>& positions,
                 const Bootstrap& bootstrap) {
  std::map<int, std::vector<int64_t>> levels;
  for (int64_t i = 0; i < out.scores.items; ++i) {
    levels[data[i].difficulty].push_back(i);
  }
  for (const auto& [difficulty, items] : levels) {
    DifficultyCurve level;
    level.difficulty = difficulty;
    level.items = static_cast<int64_t>(items.size());
    fill_shares(out.scores, items, level.accuracy, level.exact);
    level.interval = column_intervals(level.accuracy, bootstrap);
    out.by_difficulty.push_back(std::move(level));
  }
  const auto models = static_cast<size_t>(out.scores.models);
  const auto depths = static_cast<size_t>(out.scores.depths);
  for (const auto& [difficulty, counts] : positions) {
    DifficultyCurve level;
    level.difficulty = difficulty;
    level.items = *std::max_element(counts.answers.begin(), counts.answers.end());
    level.accuracy = make_grid(models, depths);
    for (size_t m = 0; m < models; ++m) {
      for (size_t d = 0; d < depths; ++d) {
        level.accuracy[m][d] = counts.answers[d] > 0
                                   ? static_cast<double>(counts.right[d * models + m]) /
                                         static_cast<double>(counts.answers[d])
                                   : 0;
      }
    }
    level.interval = column_intervals(level.accuracy, bootstrap);
    out.by_position_difficulty.push_back(std::move(level));
  }
}

int64_t items_of(const Dataset& data, int64_t wanted) {
  SV_CHECK(wanted >= 0 && wanted <= data.size(), wanted, " items asked of a set of ", data.size());
  return wanted == 0 ? data.size() : wanted;
}

}  // namespace

std::vector<Interval> score_intervals(const ItemScores& scores,
                                      const std::vector<int>& models,
                                      bool exact,
                                      const Bootstrap& bootstrap) {
  const std::vector<int> pooled = pooled_models(models, static_cast<int>(scores.models));
  return hierarchical_intervals(table_of(scores, pooled, exact), bootstrap);
}

DepthCurves evaluate(Reasoner& model, const Dataset& data, const EvaluateOptions& options) {
  DepthCurves out;
  const int64_t items = items_of(data, options.items);
  out.evidence = evidence_of(model, items, options.trained);
  out.depths = options.depths;
  std::sort(out.depths.begin(), out.depths.end());
  out.depths.erase(std::unique(out.depths.begin(), out.depths.end()), out.depths.end());
  SV_CHECK(!out.depths.empty() && out.depths[0] >= 1, "test depths count periods from 1");
  for (const int depth : out.depths) {
    out.updates.push_back(depth * model.schedule().period());
  }
  Collector collector(model, data, out.updates, items);
  for_each_group(
      model, data, items, options.run, options.taps != nullptr, [&](const GroupRun& group) {
        const Tensor answer =
            make_tensor(*group.ctx.arena,
                        {group.models(model), group.batch.size, group.batch.positions},
                        DType::i32);
        Plan plan;
        plan.depth = Depth::fixed(out.depths.back());
        plan.save.readouts = SaveAt::Readouts::list;
        plan.save.readout_list = out.updates;
        plan.save.residual = true;
        plan.taps = options.taps;
        plan.on_update = [&](const Update& u) {
          if (u.logits) {
            ops::argmax(group.ctx, u.logits, answer);
            collector.take(u, group, to_host(group.ctx, answer));
          }
        };
        Trajectory trajectory;
        group.unroll(model, plan, trajectory);
      });
  out.scores = std::move(collector.scores_);
  std::vector<int64_t> all(static_cast<size_t>(items));
  for (size_t i = 0; i < all.size(); ++i) {
    all[i] = static_cast<int64_t>(i);
  }
  fill_shares(out.scores, all, out.accuracy, out.exact);
  out.residual = make_grid(out.accuracy.size(), out.depths.size());
  for (size_t m = 0; m < out.residual.size(); ++m) {
    for (size_t d = 0; d < out.depths.size(); ++d) {
      double sum = 0;
      for (const int64_t i : all) {
        sum += static_cast<double>(out.scores.residual[out.scores.at(
            static_cast<int64_t>(d), static_cast<int64_t>(m), i)]);
      }
      out.residual[m][d] = sum / static_cast<double>(items);
    }
  }
  fill_intervals(out, options.bootstrap);
  fill_levels(out, data, collector.positions_, options.bootstrap);
  return out;
}

}  // namespace sv
