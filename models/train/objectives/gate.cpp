// gate: the second stage of a looped model with an exit gate (train.gate_only; Ouro, arXiv
// 2510.25741). From that training step on the backbone is frozen and the gate learns whether the
// last loop was worth making. With L_r the loss of an answer after loop r,
//
//   I_r = max(0, L_(r-1) - L_r)       w_r = sigmoid(50 (I_r - 0.005)), the wish to go on
//   loss = mean over r = 2..R of BCE(1 - lambda_r against w_r) = BCE(lambda_r against 1 - w_r)
//
// over scored answers for a gate per token, over rows and the mean loss of their answers for one
// per row. Before that step the loss is that of train.supervision.
#include <cmath>

#include "kernels/autograd/ops.h"
#include "kernels/memory/copy.h"
#include "models/train/objective.h"

namespace sv {

namespace {

constexpr double kSlope = 50, kMargin = 0.005;

class Gate : public Objective {
 public:
  explicit Gate(const TrainSettings& s)
      : first_(static_cast<uint64_t>(s.gate_only)), before_(make_first_objective(s)) {}
  SaveAt::Readouts readouts() const override { return SaveAt::Readouts::every; }
  int runs() const override { return before_->runs(); }
  void plan(
      int run, const Schedule& schedule, uint64_t seed, uint64_t step, Plan& plan) const override {
    if (step < first_) {
      plan.save.readouts = before_->readouts();
      before_->plan(run, schedule, seed, step, plan);
    } else {  // nothing but the gate is differentiated
      plan.save.readouts = SaveAt::Readouts::every;
      plan.gradient = {};
    }
  }
  bool plans_by_seed() const override { return before_->plans_by_seed(); }
  void supervise(int run, Supervised& s) const override {
    if (s.plan.step < first_) {
      before_->supervise(run, s);
    } else if (run == 0) {
      fit(s);
    }
  }

 private:
  static void fit(Supervised& s) {
    Tensor previous;  // (M,B) or (M,B,T), losses after the loop before
    const int period = s.model.schedule().period();
    for (const Readout& y : s.run.readouts) {
      if (y.r % period != 0) {
        continue;
      }
      SV_CHECK(y.halt, "train.gate_only needs a model with a halting score");
      s.tape.ctx.models = y.models;
      const Tensor loss = losses(s, y);
      if (previous) {
        const auto [target, weight] = targets(s, y, previous, loss);
        Tape& t = s.tape;
        // (M,B,T) as rows of the op.
        const Shape flat = {y.halt.shape()[0], y.halt.value().numel() / y.halt.shape()[0]};
        const Var score = ad::reshape(t, y.halt, flat);
        const auto placed = [&](Tensor x) {
          x.shape = flat;
          return to_device(t.ctx, x);
        };
        s.add(ad::sigmoid_xent(t, score, placed(target), placed(weight)), y.models);
      }
      previous = loss;
    }
  }

  /// Loss of every answer, or the mean loss of every row's answers, in host memory.
  static Tensor losses(const Supervised& s, const Readout& y) {
    const Tensor all = to_host(s.tape.ctx, s.answer_loss(y).value());
    if (y.halt.shape().rank() == 3) {
      return all;
    }
    const Tensor out = host_tensor(s.tape.ctx, y.halt.shape(), all.dtype);
    const Tensor target = to_host(s.tape.ctx, s.targets(y.r));
    const int64_t T = all.dim(2);
    with_float(all.dtype, [&]<class F>() {
      for (int64_t i = 0; i < out.numel(); ++i) {
        double sum = 0, scored = 0;
        for (int64_t t = 0; t < T; ++t) {
          const bool counts = target.as<int32_t>()[i * T + t] >= 0;
          sum += counts ? static_cast<double>(all.as<F>()[i * T + t]) : 0;
          scored += counts ? 1 : 0;
        }
        out.as<F>()[i] = static_cast<F>(sum / std::max(scored, 1.0));
      }
    });
    return out;
  }

  /// 1 - w of every gate, and its share of the mean; both in host memory.
  static std::pair<Tensor, Tensor> targets(const Supervised& s,
                                           const Readout& y,
                                           const Tensor& before,
                                           const Tensor& now) {
    const Context& ctx = s.tape.ctx;
    const Tensor target = host_tensor(ctx, now.shape, now.dtype);
    const Tensor weight = host_tensor(ctx, now.shape, now.dtype);
    const int period = s.model.schedule().period();
    const int64_t inner = now.shape.rank() == 3 ? now.dim(2) : 1;
    for (int i = 0; i < ctx.model_count(now); ++i) {
      const int m = ctx.model(i), place = s.plan.members.first + m;
      const double loops = std::max(s.depth(m) / period - 1, 1);
      const double each =
          (now.shape.rank() == 3 ? s.per_answer(m, y.r) : 1.0 / s.batch.size) / loops;
      for (int64_t k = 0; k < s.rows.count * inner; ++k) {
        const auto b = static_cast<int>(k / inner);
        const int32_t* asked = s.batch.target(place, s.rows.begin + b, y.r);
        const bool scored = now.shape.rank() == 2 || asked[k % inner] >= 0;
        with_float(now.dtype, [&]<class F>() {
          const int64_t at = int64_t{m} * s.rows.count * inner + k;
          const double gain =
              std::max(0.0, static_cast<double>(before.as<F>()[at] - now.as<F>()[at]));
          target.as<F>()[at] = static_cast<F>(1 / (1 + std::exp(kSlope * (gain - kMargin))));
          weight.as<F>()[at] = static_cast<F>(scored ? each : 0);
        });
      }
    }
    return {target, weight};
  }

  uint64_t first_;
  std::unique_ptr<Objective> before_;
};

}  // namespace

std::unique_ptr<Objective> make_gate(const TrainSettings& settings) {
  return std::make_unique<Gate>(settings);
}

}  // namespace sv
