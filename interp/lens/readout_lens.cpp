#include "interp/lens/readout_lens.h"

#include <algorithm>
#include <cmath>

namespace sv {

namespace {

/// Log-probabilities of one row of logits, in double.
void log_softmax(const float* logits, int64_t classes, std::vector<double>& out) {
  out.resize(static_cast<size_t>(classes));
  const double top = *std::max_element(logits, logits + classes);
  double sum = 0;
  for (int64_t v = 0; v < classes; ++v) {
    sum += std::exp(logits[v] - top);
  }
  const double logz = top + std::log(sum);
  for (int64_t v = 0; v < classes; ++v) {
    out[static_cast<size_t>(v)] = logits[v] - logz;
  }
}

/// Readouts of one batch, all updates: (updates, M, B, T, V).
struct Readouts {
  int64_t models = 0, rows = 0, positions = 0, classes = 0;
  std::vector<std::vector<float>> logits;  // per update
  const float* at(size_t u, int64_t m, int64_t b, int64_t t) const {
    return logits[u].data() + (((m * rows + b) * positions) + t) * classes;
  }
};

Readouts run_batch(Reasoner& model, const Batch& batch, const LensOptions& options, Arena& arena) {
  arena.reset();
  const Inputs inputs = load_inputs(arena, batch);
  Tape tape({&arena, options.run.threads, {}}, false);
  Plan plan;
  SV_CHECK(options.updates % model.schedule().period() == 0,
           "the lens runs whole periods of ",
           model.schedule().period(),
           " updates");
  plan.depth = Depth::fixed(options.updates / model.schedule().period());
  plan.save.readouts = SaveAt::Readouts::every;
  Readouts out;
  plan.on_update = [&](const Update& u) {
    out.models = u.logits.dim(0);
    out.rows = u.logits.dim(1);
    out.positions = u.logits.dim(2);
    out.classes = u.logits.dim(3);
    const float* x = u.logits.as<float>();
    out.logits.emplace_back(x, x + u.logits.numel());
  };
  Trajectory trajectory;
  unroll(model, inputs, plan, tape, trajectory);
  return out;
}

/// Sums of one (model, update) cell.
struct Cell {
  double right = 0, probability = 0, rank = 0, to_final = 0;
};

Cell cell_of(const Readouts& y, const Batch& batch, size_t u, int64_t m, int64_t& asked) {
  Cell c;
  asked = 0;
  std::vector<double> here;
  std::vector<double> last;
  for (int64_t b = 0; b < y.rows; ++b) {
    const int32_t* target = batch.target(0, static_cast<int>(b), static_cast<int>(u) + 1);
    for (int64_t t = 0; t < y.positions; ++t) {
      if (target[t] < 0) {
        continue;
      }
      ++asked;
      log_softmax(y.at(u, m, b, t), y.classes, here);
      log_softmax(y.at(y.logits.size() - 1, m, b, t), y.classes, last);
      const double mine = here[static_cast<size_t>(target[t])];
      const auto better =
          std::count_if(here.begin(), here.end(), [&](double v) { return v > mine; });
      c.right += better == 0 ? 1 : 0;
      c.rank += static_cast<double>(better) + 1;
      c.probability += std::exp(mine);
      for (size_t v = 0; v < here.size(); ++v) {
        c.to_final += std::exp(last[v]) * (last[v] - here[v]);
      }
    }
  }
  return c;
}

LensExample example_of(const Readouts& y, int64_t index, int64_t row, int model) {
  LensExample e;
  e.index = index;
  e.model = model;
  std::vector<double> logp;
  for (size_t u = 0; u < y.logits.size(); ++u) {
    std::vector<int32_t> answer;
    std::vector<double> probability;
    for (int64_t t = 0; t < y.positions; ++t) {
      log_softmax(y.at(u, model, row, t), y.classes, logp);
      const auto best = std::max_element(logp.begin(), logp.end());
      answer.push_back(static_cast<int32_t>(best - logp.begin()));
      probability.push_back(std::exp(*best));
    }
    e.answer.push_back(std::move(answer));
    e.probability.push_back(std::move(probability));
  }
  return e;
}

}  // namespace

LensResult readout_lens(Reasoner& model,
                        const Dataset& data,
                        int64_t items,
                        const std::vector<int64_t>& shown,
                        int shown_model,
                        const LensOptions& options) {
  const auto models = static_cast<size_t>(model.models());
  const auto updates = static_cast<size_t>(options.updates);
  LensResult out;
  out.evidence = evidence_of(model, items, options.trained);
  for (int r = 1; r <= options.updates; ++r) {
    out.updates.push_back(r);
  }
  out.right = out.probability = out.rank = out.to_final = make_grid(models, updates);
  std::vector<double> asked_total(updates, 0);
  Arena arena;
  for_each_batch(data, 0, items, options.run.batch, [&](const Batch& batch) {
    const Readouts y = run_batch(model, batch, options, arena);
    std::vector<Cell> cells(models * updates);
    std::vector<int64_t> asked(models * updates);
#pragma omp parallel for num_threads(options.run.threads) schedule(static)
    for (int64_t i = 0; i < static_cast<int64_t>(cells.size()); ++i) {
      const size_t c = static_cast<size_t>(i);
      cells[c] = cell_of(y, batch, c % updates, static_cast<int64_t>(c / updates), asked[c]);
    }
    for (size_t c = 0; c < cells.size(); ++c) {
      const size_t m = c / updates;
      const size_t u = c % updates;
      out.right[m][u] += cells[c].right;
      out.probability[m][u] += cells[c].probability;
      out.rank[m][u] += cells[c].rank;
      out.to_final[m][u] += cells[c].to_final;
      asked_total[u] += m == 0 ? static_cast<double>(asked[c]) : 0;
    }
    for (int64_t row = 0; row < y.rows; ++row) {
      const int64_t index = batch.index[static_cast<size_t>(row)];
      if (std::find(shown.begin(), shown.end(), index) != shown.end()) {
        out.examples.push_back(example_of(y, index, row, shown_model));
      }
    }
  });
  for (Grid* grid : {&out.right, &out.probability, &out.rank, &out.to_final}) {
    for (auto& row : *grid) {
      for (size_t u = 0; u < updates; ++u) {
        row[u] /= std::max(asked_total[u], 1.0);
      }
    }
  }
  return out;
}

}  // namespace sv
