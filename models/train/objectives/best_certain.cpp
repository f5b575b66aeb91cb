// best_certain: the loss of the continuous thought machine (Darlow et al., arXiv 2505.05522). Of
// the updates of a row, the one with the least loss and the one that is most certain (the least
// mean entropy of its scored answers) count half each; which ones they are carries no gradient.
#include <algorithm>
#include <limits>

#include "kernels/autograd/ops.h"
#include "kernels/memory/copy.h"
#include "kernels/ops/readout_stats/readout_stats.h"
#include "models/train/objective.h"

namespace sv {

namespace {

/// Sum of the entropies of the scored answers of every row of a readout into out (M,B).
void row_entropy(const Supervised& s, const Readout& y, double* out) {
  const MemoryScope scope(s.tape.ctx);
  const Tensor logits = y.logits.value();
  const int64_t models = logits.dim(0), rows = logits.dim(1), positions = logits.dim(2);
  const Tensor h = make_tensor(s.tape.arena(), {models, rows, positions}, logits.dtype);
  ops::entropy(s.tape.ctx, logits, h);
  const Tensor here = to_host(s.tape.ctx, h), targets = to_host(s.tape.ctx, s.targets(y.r));
  std::fill_n(out, models * rows, 0.0);
  for (int64_t i = 0; i < models * rows * positions; ++i) {
    out[i / positions] += targets.as<int32_t>()[i] >= 0 ? element(here, i) : 0;
  }
}

class BestCertain : public Objective {
 public:
  SaveAt::Readouts readouts() const override { return SaveAt::Readouts::every; }
  void supervise(int, Supervised& s) const override {
    SV_CHECK(s.models() == 1, "train.supervision=best_certain trains one model of a run");
    const size_t updates = s.run.readouts.size(), rows = static_cast<size_t>(s.rows.count);
    Arena& memory = s.tape.host();
    Var* losses = memory.alloc_n<Var>(updates);
    size_t* best = memory.alloc_n<size_t>(rows);
    size_t* certain = memory.alloc_n<size_t>(rows);
    double* least = memory.alloc_n<double>(rows);
    double* sharpest = memory.alloc_n<double>(rows);
    double* entropy = memory.alloc_n<double>(rows);
    std::fill_n(least, rows, std::numeric_limits<double>::infinity());
    std::fill_n(sharpest, rows, std::numeric_limits<double>::infinity());
    for (size_t u = 0; u < updates; ++u) {
      const Readout& y = s.run.readouts[u];
      losses[u] = s.row_loss(y);
      const Tensor loss = to_host(s.tape.ctx, losses[u].value());
      row_entropy(s, y, entropy);
      for (size_t b = 0; b < rows; ++b) {
        const double here = element(loss, static_cast<int64_t>(b));
        if (u == 0 || here < least[b]) {
          least[b] = here, best[b] = u;
        }
        if (u == 0 || entropy[b] < sharpest[b]) {
          sharpest[b] = entropy[b], certain[b] = u;
        }
      }
    }
    for (size_t u = 0; u < updates; ++u) {
      const Tensor share = host_tensor(s.tape.ctx, losses[u].shape(), losses[u].value().dtype);
      with_float(share.dtype, [&]<class T>() {
        for (size_t b = 0; b < rows; ++b) {
          share.as<T>()[b] = static_cast<T>(0.5 * (best[b] == u) + 0.5 * (certain[b] == u));
        }
      });
      const Var chosen = ad::mul(s.tape, losses[u], s.tape.constant(to_device(s.tape.ctx, share)));
      s.add(ad::sum(s.tape, chosen), s.run.readouts[u].models);
    }
  }
};

}  // namespace

std::unique_ptr<Objective> make_best_certain(const TrainSettings&) {
  return std::make_unique<BestCertain>();
}

}  // namespace sv
