// rows: deep supervision as in HRM (arXiv 2506.21734) and TRM (arXiv 2510.04871), for the segment
// that an optimiser step runs:
//
//   loss = mean over rows of (mean loss of the row's answers)
//          + halt_weight (BCE(halt, all answers right) + BCE(go on, value of going on))
//
// The last term stands for models that score going on (HRM). Its target is the model's own score
// after the next segment, from where this one ended and without gradient: sigmoid(halt) behind the
// last segment, else sigmoid(max(halt, go on)). Without train.segments there is no next one and no
// such term.
#include <algorithm>

#include "core/rng.h"
#include "kernels/autograd/ops.h"
#include "kernels/memory/copy.h"
#include "models/train/objective.h"

namespace sv {

namespace {

/// Value of going on, of every row (M,B), in host memory.
Tensor continue_target(const Supervised& s) {
  Plan& plan = s.own.plan;
  plan = s.plan;
  plan.gradient = {};
  plan.save = {};
  plan.taps = nullptr;
  Start& start = s.own.start;
  start = {};
  for (size_t p = 0; p < s.model.schedule().parts.size(); ++p) {
    start.parts[p] = s.run.final[static_cast<int>(p)].value();
  }
  plan.start = &start;
  const Tensor target =
      host_tensor(s.tape.ctx, {s.models(), s.rows.count}, s.model.params().dtype());
  const MemoryScope scope(s.tape.ctx);
  Tape tape(s.tape.ctx, false);
  Trajectory& next = s.own.trajectory;
  unroll(s.model, s.inputs, plan, tape, next);
  const Readout& y = next.readouts.back();
  const Tensor halt = to_host(tape.ctx, y.halt.value()), go_on = to_host(tape.ctx, y.go_on.value());
  with_float(target.dtype, [&]<class T>() {
    for (int64_t i = 0; i < target.numel(); ++i) {
      const int m = static_cast<int>(i / s.rows.count), b = static_cast<int>(i % s.rows.count);
      const T q =
          s.last_segment(m, b) ? halt.as<T>()[i] : std::max(halt.as<T>()[i], go_on.as<T>()[i]);
      target.as<T>()[i] = point::sigmoid(q);
    }
  });
  return target;
}

class RowMeans : public Objective {
 public:
  explicit RowMeans(double reach_back) : reach_back_(reach_back) {}
  SaveAt::Readouts readouts() const override { return SaveAt::Readouts::last; }
  /// RSM (arXiv 2603.15641) lets some steps reach through the outer update before the last round.
  void plan(int, const Schedule&, uint64_t seed, uint64_t step, Plan& plan) const override {
    if (plan.gradient.kind == Gradient::Kind::round &&
        Rng(seed, stream_of("reach_back"), step).uniform(0) < reach_back_) {
      plan.gradient.k += 1;
    }
  }
  bool plans_by_seed() const override { return reach_back_ > 0; }
  void supervise(int, Supervised& s) const override {
    double* ones = s.tape.host().alloc_n<double>(static_cast<size_t>(s.models()));
    std::fill_n(ones, s.models(), 1.0);
    const std::span<const double> share{ones, static_cast<size_t>(s.models())};
    for (const Readout& y : s.run.readouts) {
      s.tape.ctx.models = y.models;
      Var loss = s.mean_row_loss(y, share);
      if (y.halt && s.settings.halt_weight > 0) {
        loss = ad::add(s.tape, loss, s.halting_loss(y, share));
      }
      if (y.go_on && s.settings.segments > 1) {
        loss = ad::add(s.tape, loss, s.score_loss(y.go_on, continue_target(s), share));
      }
      if (y.penalty && s.settings.penalty > 0) {
        loss = ad::add(s.tape, loss, s.penalty(y, share));
      }
      s.add(loss, y.models);
    }
  }

 private:
  double reach_back_;
};

}  // namespace

std::unique_ptr<Objective> make_rows(const TrainSettings& settings) {
  return std::make_unique<RowMeans>(settings.reach_back);
}

}  // namespace sv
