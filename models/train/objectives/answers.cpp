// last: the loss of the answers after a model's last update. every: its mean over all updates. With
// a halting head, the halting loss of the same readouts; with a penalty, its mean at the last one.
#include "kernels/autograd/ops.h"
#include "models/train/objective.h"

namespace sv {

namespace {

class Answers : public Objective {
 public:
  explicit Answers(bool every) : every_(every) {}
  SaveAt::Readouts readouts() const override {
    return every_ ? SaveAt::Readouts::every : SaveAt::Readouts::last;
  }
  void supervise(int, Supervised& s) const override {
    double* share = s.tape.host().alloc_n<double>(static_cast<size_t>(s.models()));
    for (int m = 0; m < s.models(); ++m) {
      share[m] = every_ ? 1.0 / std::max(s.depth(m), 1) : 1.0;
    }
    const std::span<const double> shares{share, static_cast<size_t>(s.models())};
    for (const Readout& y : s.run.readouts) {
      s.tape.ctx.models = y.models;
      Var loss = s.mean_loss(y, shares);
      if (y.halt && s.settings.halt_weight > 0) {
        loss = ad::add(s.tape, loss, s.halting_loss(y, shares));
      }
      if (y.penalty && s.settings.penalty > 0) {
        loss = ad::add(s.tape, loss, s.penalty(y, shares));
      }
      s.add(loss, y.models);
    }
  }

 private:
  bool every_;
};

}  // namespace

std::unique_ptr<Objective> make_last(const TrainSettings&) {
  return std::make_unique<Answers>(false);
}
std::unique_ptr<Objective> make_every(const TrainSettings&) {
  return std::make_unique<Answers>(true);
}

}  // namespace sv
