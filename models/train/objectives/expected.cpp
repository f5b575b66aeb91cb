// expected: the loss that a run is expected to have when it halts by its own score. With lambda_n =
// sigmoid(score after period n) and N periods,
//
//   p_n = lambda_n prod_(j<n) (1 - lambda_j),   p_N = prod_(j<N) (1 - lambda_j)
//   loss = mean of sum_n p_n L(y_n) + kl_weight KL(p || g)
//
// over rows for a score per row (PonderNet, arXiv 2107.05407), over scored answers for a score per
// position (Ouro, arXiv 2510.25741). g is geometric of rate prior_rate, cut at N and made a
// distribution again, or uniform over 1..N: then the second term is the entropy bonus of Ouro, up
// to a constant. Everything is computed from logarithms: log lambda = -softplus(-score), log(1 -
// lambda) = -softplus(score).
#include <cmath>

#include "kernels/autograd/ops.h"
#include "kernels/memory/copy.h"
#include "models/train/objective.h"

namespace sv {

namespace {

class Expected : public Objective {
 public:
  SaveAt::Readouts readouts() const override { return SaveAt::Readouts::every; }
  void supervise(int, Supervised& s) const override {
    Tape& t = s.tape;
    const int period = s.model.schedule().period();
    Var stay;  // log of the probability of not having halted before: sum of log(1 - lambda)
    for (const Readout& y : s.run.readouts) {
      if (y.r % period != 0) {
        continue;
      }
      SV_CHECK(y.halt, "train.supervision=expected needs a model with a halting score");
      t.ctx.models = y.models;
      const Var log_p = log_probability(s, y, stay);
      const Var cost = ad::add(t, answers(s, y), divergence(s, y, log_p));
      const Var p = ad::activate(t, ops::Activation::exp, log_p);
      s.add(ad::sum(t, ad::mul(t, p, cost)), y.models);
      t.ctx.models = y.models;
      const Var go_on = ad::scale(t, ad::activate(t, ops::Activation::softplus, y.halt), -1);
      stay = stay ? ad::add(t, stay, go_on) : go_on;
    }
  }

 private:
  /// log p_n; the last period of a model takes what is left.
  static Var log_probability(const Supervised& s, const Readout& y, Var stay) {
    Tape& t = s.tape;
    const auto models = static_cast<size_t>(t.ctx.model_count(y.halt.value()));
    int* ends = t.host().alloc_n<int>(models);
    size_t count = 0;
    for (size_t i = 0; i < models; ++i) {
      const int m = t.ctx.model(static_cast<int>(i));
      if (s.depth(m) == y.r) {
        ends[count++] = m;
      }
    }
    if (!stay) {
      const Tensor none = make_tensor(t.arena(), y.halt.shape(), y.halt.value().dtype);
      zero_tensor(t.ctx, none);
      stay = t.constant(none);
    }
    if (count == models) {
      return stay;
    }
    const Var halts = ad::activate(t, ops::Activation::softplus, ad::scale(t, y.halt, -1));
    const Var log_p = ad::mix(t, stay, 1, halts, -1);
    return count == 0 ? log_p : ad::choose(t, stay, {ends, count}, log_p);
  }

  /// Loss of the answers of every row (M,B), or of every answer (M,B,T), such that the sum over the
  /// whole batch is the mean.
  static Var answers(const Supervised& s, const Readout& y) {
    if (y.halt.shape().rank() == 2) {
      return s.row_loss(y);
    }
    return ad::mul(
        s.tape, s.answer_loss(y), s.tape.constant(shares(s, y, [](int) { return 1.0; })));
  }

  /// kl_weight (log p - log g), each row's or scored answer's share of the mean.
  static Var divergence(const Supervised& s, const Readout& y, Var log_p) {
    Tape& t = s.tape;
    const double beta = s.settings.kl_weight;
    const Var weight = t.constant(shares(s, y, [&](int) { return beta; }));
    const Var prior = t.constant(shares(s, y, [&](int m) { return -beta * log_prior(s, y, m); }));
    return ad::add(t, ad::mul(t, weight, log_p), prior);
  }

  static double log_prior(const Supervised& s, const Readout& y, int m) {
    const int period = s.model.schedule().period();
    const int n = y.r / period, last = s.depth(m) / period;
    if (s.settings.prior == "uniform") {
      return -std::log(last);
    }
    const double rate = s.settings.prior_rate, stays = std::log1p(-rate);
    return std::log(rate) + (n - 1) * stays - std::log(-std::expm1(last * stays));
  }

  /// f(m) times the share of each row (M,B), or of each scored answer (M,B,T), in the mean over the
  /// whole batch; 0 for answers that are not scored.
  template <class F>
  static Tensor shares(const Supervised& s, const Readout& y, F&& f) {
    const Tensor out = host_tensor(s.tape.ctx, y.halt.shape(), y.halt.value().dtype);
    const int64_t inner = out.numel() / out.dim(0) / s.rows.count;
    for (int i = 0; i < s.tape.ctx.model_count(out); ++i) {
      const int m = s.tape.ctx.model(i), place = s.plan.members.first + m;
      const bool by_answer = out.shape.rank() == 3;
      const double each = f(m) * (by_answer ? s.per_answer(m, y.r) : 1.0 / s.batch.size);
      for (int b = 0; b < s.rows.count; ++b) {
        const int32_t* target = s.batch.target(place, s.rows.begin + b, y.r);
        with_float(out.dtype, [&]<class T>() {
          T* to = out.as<T>() + (int64_t{m} * s.rows.count + b) * inner;
          for (int64_t k = 0; k < inner; ++k) {
            to[k] = static_cast<T>(by_answer && target[k] < 0 ? 0.0 : each);
          }
        });
      }
    }
    return to_device(s.tape.ctx, out);
  }
};

}  // namespace

std::unique_ptr<Objective> make_expected(const TrainSettings&) {
  return std::make_unique<Expected>();
}

}  // namespace sv
