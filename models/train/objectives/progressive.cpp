// progressive: the loss of Bansal et al. (arXiv 2202.05826) for models that are to think on. With
// the m updates that depth.train draws, a share train.progressive of the loss is that of a run of n
// updates without gradient and then k with, n uniform in 0 .. m-1 and k in 1 .. m-n; the rest is
// that of a full run of m. Depths count periods.
#include "core/rng.h"
#include "kernels/autograd/ops.h"
#include "models/train/objective.h"

namespace sv {

namespace {

class Progressive : public Objective {
 public:
  explicit Progressive(double share) : share_(share) {}
  SaveAt::Readouts readouts() const override { return SaveAt::Readouts::last; }
  int runs() const override { return share_ > 0 && share_ < 1 ? 2 : 1; }
  bool plans_by_seed() const override { return share_ > 0; }

  void plan(
      int run, const Schedule& schedule, uint64_t seed, uint64_t step, Plan& plan) const override {
    if (!partial(run)) {
      return;
    }
    const int m = plan.depth.draw(seed, step);
    const Rng rng(seed, stream_of("progressive"), step);
    const int n = static_cast<int>(rng.below(0, static_cast<uint32_t>(m)));
    const int k = 1 + static_cast<int>(rng.below(1, static_cast<uint32_t>(m - n)));
    plan.depth = Depth::fixed(n + k);
    plan.gradient = {Gradient::Kind::last_k, k * schedule.period()};
  }

  void supervise(int run, Supervised& s) const override {
    double* share = s.tape.host().alloc_n<double>(static_cast<size_t>(s.models()));
    std::fill_n(share, s.models(), partial(run) ? share_ : 1 - share_);
    const std::span<const double> shares{share, static_cast<size_t>(s.models())};
    for (const Readout& y : s.run.readouts) {
      s.tape.ctx.models = y.models;
      s.add(s.mean_loss(y, shares), y.models);
    }
  }

 private:
  /// The full run comes first if there is one: its answers are those that are counted.
  bool partial(int run) const { return run == runs() - 1 && share_ > 0; }
  double share_;
};

}  // namespace

std::unique_ptr<Objective> make_progressive(const TrainSettings& s) {
  return std::make_unique<Progressive>(s.progressive);
}

}  // namespace sv
