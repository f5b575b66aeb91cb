#include "interp/lens/readout_lens.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/memory/copy.h"

namespace sv {

namespace {

/// Log-probabilities of one vector of logits; in double, for statistics only.
void log_softmax(const Tensor& logits, int64_t row, std::vector<double>& out) {
  const int64_t v = logits.dim(3);
  out.resize(static_cast<size_t>(v));
  with_float(logits.dtype, [&]<class T>() {
    const T* x = logits.as<T>() + row * v;
    for (int64_t i = 0; i < v; ++i) {
      out[static_cast<size_t>(i)] = static_cast<double>(x[i]);
    }
  });
  const double top = *std::max_element(out.begin(), out.end());
  double sum = 0;
  for (const double x : out) {
    sum += std::exp(x - top);
  }
  for (double& x : out) {
    x -= top + std::log(sum);
  }
}

/// 1 + the number of answers that are more likely.
int rank_of(const std::vector<double>& log_p, int32_t target) {
  const double mine = log_p[static_cast<size_t>(target)];
  return 1 + static_cast<int>(
                 std::count_if(log_p.begin(), log_p.end(), [&](double x) { return x > mine; }));
}

/// The readouts of one batch, in host memory, kept until the last one is known.
struct BatchReadouts {
  std::vector<Tensor> logits;  // per depth (M, B, T, V)
};

class Lens {
 public:
  Lens(Reasoner& model,
       const Dataset& data,
       const LensOptions& options,
       const std::vector<int>& pooled)
      : model_(model),
        data_(data),
        options_(options),
        pooled_(pooled_models(pooled, model.models())),
        packed_(pack_weights(model, options.run.threads)),
        depths_(options.depths.size()),
        memory_(model.params().device(), kRunBlock) {
    SV_CHECK(!options.depths.empty() && options.depths.front() >= 1 &&
                 std::is_sorted(options.depths.begin(), options.depths.end()),
             "lens depths count periods from 1 and ascend");
    for (const int depth : options.depths) {
      updates_.push_back(depth * model.schedule().period());
    }
    const auto models = static_cast<size_t>(model.models());
    means_ = {make_grid(models, depths_),
              make_grid(models, depths_),
              make_grid(models, depths_),
              make_grid(models, depths_)};
    asked_.assign(depths_, 0);
    const auto positions = static_cast<size_t>(data.task().spec().positions);
    right_at_ = make_grid(depths_, positions);
    prob_at_ = right_at_;
    asked_at_ = right_at_;
  }

  template <class F>
  void run(const Batch& batch, F&& f) {
    memory_.reset();
    Tape tape(memory_.context(options_.run.threads), false);
    BatchReadouts kept;
    Plan plan;
    plan.depth = Depth::fixed(options_.depths.back());
    plan.save.readouts = SaveAt::Readouts::list;
    plan.save.readout_list = updates_;
    plan.packed = &packed_;
    Trajectory trajectory;
    unroll(model_, load_inputs(tape.ctx, batch), plan, tape, trajectory);
    options_.run.note(trajectory);
    for (const Readout& y : trajectory.readouts) {
      kept.logits.push_back(to_host_later(tape.ctx, y.logits.value()));
    }
    finish_copies(tape.ctx);
    f(kept);
  }

  void average(int64_t items) {
    for_each_batch(data_, 0, items, options_.run.batch, [&](const Batch& batch) {
      run(batch, [&](const BatchReadouts& kept) { add(batch, kept); });
    });
    const auto models = static_cast<size_t>(model_.models());
    for (Grid* g :
         {&means_.accuracy, &means_.target_prob, &means_.target_rank, &means_.kl_to_final}) {
      for (size_t m = 0; m < models; ++m) {
        for (size_t d = 0; d < depths_; ++d) {
          (*g)[m][d] /= std::max<double>(1, static_cast<double>(asked_[d]));
        }
      }
    }
    for (size_t d = 0; d < depths_; ++d) {
      for (size_t t = 0; t < asked_at_[d].size(); ++t) {
        const double n = asked_at_[d][t] * static_cast<double>(pooled_.size());
        right_at_[d][t] = n > 0 ? right_at_[d][t] / n : kNaN;
        prob_at_[d][t] = n > 0 ? prob_at_[d][t] / n : kNaN;
      }
    }
  }

  std::vector<LensExample> example(int64_t index) {
    std::vector<LensExample> out;
    run(data_.range(index, 1), [&](const BatchReadouts& kept) {
      for (int m = 0; m < model_.models(); ++m) {
        const auto& list = options_.example_models;
        if (list.empty() || std::find(list.begin(), list.end(), m) != list.end()) {
          out.push_back(describe(index, m, kept));
        }
      }
    });
    return out;
  }

  std::vector<int> updates_;
  LensMeans means_;
  Grid right_at_, prob_at_, asked_at_;

 private:
  void add(const Batch& batch, const BatchReadouts& kept) {
    // Models in parallel; each sums its own rows in order.
    std::vector<Grid> right(static_cast<size_t>(model_.models())), prob(right.size());
    run_tasks(model_.models(), options_.run.threads, [&](int64_t m, int) {
      right[static_cast<size_t>(m)] = prob[static_cast<size_t>(m)] =
          make_grid(depths_, static_cast<size_t>(batch.positions));
      add_model(batch, kept, m, right[static_cast<size_t>(m)], prob[static_cast<size_t>(m)]);
    });
    for (size_t d = 0; d < depths_; ++d) {
      for (int b = 0; b < batch.size; ++b) {
        const int32_t* want = batch.target(0, b, updates_[d]);
        for (int t = 0; t < batch.positions; ++t) {
          asked_[d] += want[t] >= 0 ? 1 : 0;
          asked_at_[d][static_cast<size_t>(t)] += want[t] >= 0 ? 1 : 0;
        }
      }
      for (const int place : pooled_) {
        const auto m = static_cast<size_t>(place);
        for (size_t t = 0; t < right[m][d].size(); ++t) {
          right_at_[d][t] += right[m][d][t];
          prob_at_[d][t] += prob[m][d][t];
        }
      }
    }
  }

  void add_model(
      const Batch& batch, const BatchReadouts& kept, int64_t m, Grid& right, Grid& prob) {
    std::vector<double> log_p;
    std::vector<double> last;
    const auto k = static_cast<size_t>(m);
    for (int b = 0; b < batch.size; ++b) {
      for (int t = 0; t < batch.positions; ++t) {
        const int64_t row = (m * batch.size + b) * batch.positions + t;
        log_softmax(kept.logits.back(), row, last);
        for (size_t d = 0; d < depths_; ++d) {
          const int32_t target = batch.target(0, b, updates_[d])[t];
          if (target < 0) {
            continue;
          }
          log_softmax(kept.logits[d], row, log_p);
          double kl = 0;
          for (size_t v = 0; v < last.size(); ++v) {
            kl += std::exp(last[v]) * (last[v] - log_p[v]);
          }
          const auto best = std::max_element(log_p.begin(), log_p.end()) - log_p.begin();
          const double p = std::exp(log_p[static_cast<size_t>(target)]);
          means_.accuracy[k][d] += best == target ? 1 : 0;
          means_.target_prob[k][d] += p;
          means_.target_rank[k][d] += rank_of(log_p, target);
          means_.kl_to_final[k][d] += kl;
          right[d][static_cast<size_t>(t)] += best == target ? 1 : 0;
          prob[d][static_cast<size_t>(t)] += p;
        }
      }
    }
  }

  LensExample describe(int64_t index, int m, const BatchReadouts& kept) const {
    const Example& e = data_[index];
    const Task& task = data_.task();
    const Batch batch = data_.range(index, 1);
    const auto positions = static_cast<size_t>(task.spec().positions);
    LensExample out;
    out.index = index;
    out.seed = model_.params().seeds()[static_cast<size_t>(m)];
    out.difficulty = e.difficulty;
    const int32_t* final_target = batch.target(0, 0, updates_.back());
    for (size_t t = 0; t < positions; ++t) {
      out.tokens.push_back(static_cast<int>(t) < e.length ? task.token_text(e.tokens[t]) : "");
      out.targets.push_back(final_target[t] >= 0 ? task.answer_text(final_target[t]) : "");
    }
    out.prob = make_grid(depths_, positions);
    out.target_prob = out.target_rank = out.correct = make_grid(depths_, positions, kNaN);
    out.readout.assign(depths_, std::vector<std::string>(positions));
    std::vector<double> log_p;
    for (size_t d = 0; d < depths_; ++d) {
      const int32_t* want = batch.target(0, 0, updates_[d]);
      for (size_t t = 0; t < positions; ++t) {
        log_softmax(kept.logits[d], static_cast<int64_t>(m * positions + t), log_p);
        const auto best = std::max_element(log_p.begin(), log_p.end()) - log_p.begin();
        out.readout[d][t] = task.answer_text(static_cast<int>(best));
        out.prob[d][t] = std::exp(log_p[static_cast<size_t>(best)]);
        if (want[t] >= 0) {
          out.target_prob[d][t] = std::exp(log_p[static_cast<size_t>(want[t])]);
          out.target_rank[d][t] = rank_of(log_p, want[t]);
          out.correct[d][t] = best == want[t] ? 1 : 0;
        }
      }
    }
    return out;
  }

  Reasoner& model_;
  const Dataset& data_;
  const LensOptions& options_;
  std::vector<int> pooled_;
  PackedWeights packed_;
  size_t depths_;
  Workspace memory_;
  std::vector<int64_t> asked_;  // (R)
};

}  // namespace

LensResult readout_lens(Reasoner& model, const Dataset& data, const LensOptions& options) {
  const int64_t items = options.items == 0 ? data.size() : options.items;
  LensResult out;
  out.evidence = evidence_of(model, items, options.trained);
  out.depths = options.depths;
  Lens lens(model, data, options, options.pooled);
  lens.average(items);
  out.updates = lens.updates_;
  out.means = lens.means_;
  const auto rows = [&](const Grid& grid) {
    Grid chosen;
    for (const int m : pooled_models(options.pooled, model.models())) {
      chosen.push_back(grid[static_cast<size_t>(m)]);
    }
    return chosen;
  };
  out.accuracy_interval = column_intervals(rows(out.means.accuracy), options.bootstrap);
  out.target_prob_interval = column_intervals(rows(out.means.target_prob), options.bootstrap);
  out.kl_interval = column_intervals(rows(out.means.kl_to_final), options.bootstrap);
  out.position_accuracy = lens.right_at_;
  out.position_target_prob = lens.prob_at_;
  for (const int64_t index : options.examples) {
    SV_CHECK(index >= 0 && index < data.size(), "example ", index, " of ", data.size());
    for (LensExample& e : lens.example(index)) {
      out.examples.push_back(std::move(e));
    }
  }
  if (options.untrained != nullptr) {
    Lens null(*options.untrained, data, options, {});
    null.average(items);
    out.untrained = null.means_;
  }
  return out;
}

}  // namespace sv
