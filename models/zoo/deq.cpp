// deq: the deep equilibrium model (Bai et al., arXiv 1909.01377; torchdeq, arXiv 2310.18605).
//
//   F(z) = N(blocks(inject(z, e))),   z_(r+1) = solver(z_r, F(z_r), ...),   y = head(best)
//
// "best" is F of the iterate whose relative residual ||F(z) - z|| / ||F(z)|| was least so far, row
// by row. Solvers (parts/solver.h): damped, anderson, broyden. Gradients: train.gradient=implicit:K
// is that of the fixed point; last:K with model.solver=damped and model.damping is the phantom
// gradient of K damped steps (Geng et al., arXiv 2111.05177); full with damped is backpropagation
// through the solver. train.penalty weighs a Jacobian penalty E ||J v||^2 / n (Bai et al., arXiv
// 2106.14342), by a forward difference along keyed normal numbers v, as there is no double
// backward; theirs takes
// ||v^T J||^2, which has the same mean. Halts by halt.rule=change.
#include <cmath>

#include "kernels/memory/copy.h"
#include "models/parts/parts.h"
#include "models/parts/solver.h"
#include "models/zoo.h"

namespace sv {

namespace {

enum : int { kZ = 0, kBest = 1, kScore = 2, kMemory = 3 };
constexpr double kStep = 1e-2;  // of the forward difference

class Deq : public Reasoner {
 public:
  explicit Deq(const ModelArgs& a)
      : Reasoner(a.seeds, a.dtype, a.device, a.allocate),
        solver_(a.model.solver, a.model.solver_memory, a.model.damping),
        damping_(a.model.damping),
        start_(params_, "z", a.model.init, a.model.width),
        embed_(params_, a.task, a.model),
        inject_(params_, "inject", a.model.injection, a.model.width),
        norm_(params_, "state_norm", a.model.norm, a.model.width),
        head_(params_, a.model.norm, a.model.width, a.task.answers) {
    SV_CHECK(a.model.injection != "none",
             "model.injection=none: a fixed point without the input is the same for every input");
    const parts::BlockShape shape = parts::block_shape(a.model, a.task);
    for (int l = 0; l < a.model.layers; ++l) {
      blocks_.emplace_back(params_, "core." + std::to_string(l), shape, l);
    }
    schedule_.parts = {"z", "best", "score"};
    schedule_.together = true;
    if (solver_.slots() > 0) {
      schedule_.parts.emplace_back("memory");
    }
    sites_ = {{Phase::encode, Point::encoded},
              {Phase::loop, Point::injected},
              {Phase::readout, Point::readout_norm},
              {Phase::readout, Point::logits}};
    add_state_sites(sites_, schedule_);
    for (int l = 0; l < a.model.layers; ++l) {
      parts::Block::add_sites(sites_, Phase::loop, l);
    }
  }

  const Schedule& schedule() const override { return schedule_; }
  std::vector<Site> sites() const override { return sites_; }
  Var encode(Pass& pass, const Inputs& in) override {
    return pass.tap(Point::encoded, embed_(pass, in));
  }
  State init(Pass& pass, const Inputs& in, Var e) override {
    State h;
    h[kZ] = h[kBest] = start_(pass, in, e);
    const Shape& x = e.shape();
    h[kScore] = parts::zeros(pass, {x[0], x[1], 2}, e.value().dtype);
    if (solver_.slots() > 0) {
      h[kMemory] = parts::zeros(pass, {x[0], x[1], solver_.slots(), x[2] * x[3]}, e.value().dtype);
    }
    return h;
  }
  State step(Pass& pass, const Inputs& in, const State& h, Var e) override {
    Tape& tape = pass.tape;
    SV_CHECK(!tape.recording() || solver_.damped(),
             "model.solver has no gradient of its own unless it is damped: use "
             "train.gradient=implicit:K");
    const Var f = f_of(pass, in, h[kZ], e);
    State after = h;
    keep_best(pass, h, f, after);
    if (solver_.damped()) {
      after[kZ] = ad::mix(tape, h[kZ], 1 - damping_, f, damping_);
      return after;
    }
    const Tensor next = make_tensor(tape.arena(), f.shape(), f.value().dtype);
    const Tensor memory = copy_of(tape.ctx, h[kMemory].value());
    const Tensor score = h[kScore].value();
    double* made = tape.host().alloc_n<double>(static_cast<size_t>(score.numel() / 2));
    for (int64_t i = 0; i < score.numel() / 2; ++i) {
      made[i] = element(score, 2 * i + 1);
    }
    solver_.next(tape.ctx, h[kZ].value(), f.value(), memory, made, next);
    after[kZ] = tape.constant(next);
    after[kMemory] = tape.constant(memory);
    return after;
  }
  State map(Pass& pass, const Inputs& in, const State& h, Var e) override {
    State after = h;
    after[kZ] = after[kBest] = f_of(pass, in, h[kBest], e);
    return after;
  }
  Var readout(Pass& pass, const Inputs&, const State& h, Var) override {
    return head_(pass, h[kBest]);
  }
  Var penalty(Pass& pass, const Inputs& in, const State& h, Var e) override {
    Tape& tape = pass.tape;
    const Shape& x = h[kBest].shape();
    const Var v = parts::noise(pass, in, "jacobian", {x[2], x[3]}, h[kBest].value().dtype);
    const Var z = tape.constant(h[kBest].value());
    const Var moved = ad::mix(tape, z, 1, v, kStep);
    const Var jv = ad::mix(
        tape, f_of(pass, in, moved, e, false), 1 / kStep, f_of(pass, in, z, e, false), -1 / kStep);
    const Var flat = ad::reshape(tape, ad::mul(tape, jv, jv), {x[0], x[1], x[2] * x[3]});
    return ad::scale(tape, ad::sum_last(tape, flat), 1.0 / static_cast<double>(x[2] * x[3]));
  }

 private:
  /// F(z); `taps` false where it is no update.
  Var f_of(Pass pass, const Inputs& in, Var z, Var e, bool taps = true) {
    pass.taps = taps ? pass.taps : nullptr;
    Var x = inject_(pass, z, e);
    for (const parts::Block& block : blocks_) {
      x = block(pass, in, x);
    }
    return norm_(pass, x);
  }
  /// Brings `best` and `score` of the rows up to date: score (M,B,2) holds the least residual and
  /// the number of iterates.
  void keep_best(Pass& pass, const State& h, Var f, State& after) const {
    Tape& tape = pass.tape;
    const Tensor fs = f.value(), zs = h[kZ].value(), old = h[kScore].value();
    SV_CHECK(tape.ctx.device == nullptr, "deq runs on the CPU");
    const int64_t rows = fs.dim(1), n = fs.dim(2) * fs.dim(3);
    const Tensor score = make_tensor(tape.arena(), old.shape, old.dtype);
    const Tensor mask = make_tensor(tape.arena(), {fs.dim(0), rows}, fs.dtype);
    const Tensor rest = make_tensor(tape.arena(), mask.shape, fs.dtype);
    with_float(fs.dtype, [&]<class T>() {
      for (int i = 0; i < tape.ctx.model_count(fs); ++i) {
        for (int64_t b = 0; b < rows; ++b) {
          const int64_t at = int64_t{tape.ctx.model(i)} * rows + b;
          const T* x = fs.as<T>() + at * n;
          const T* z = zs.as<T>() + at * n;
          double moved = 0, size = 0;
          for (int64_t k = 0; k < n; ++k) {
            moved += std::pow(static_cast<double>(x[k]) - z[k], 2);
            size += static_cast<double>(x[k]) * x[k];
          }
          const double residual = std::sqrt(moved / std::max(size, 1e-300));
          const T* before = old.as<T>() + 2 * at;
          const bool better = before[1] == T{0} || residual < static_cast<double>(before[0]);
          score.as<T>()[2 * at] = better ? static_cast<T>(residual) : before[0];
          score.as<T>()[2 * at + 1] = static_cast<T>(solver_.count_after(before[1]));
          mask.as<T>()[at] = better ? T{1} : T{0};
          rest.as<T>()[at] = better ? T{0} : T{1};
        }
      }
    });
    const Shape flat = {fs.dim(0), rows, n};
    const auto chosen = [&](Var x, const Tensor& s) {
      return ad::mul_rows(tape, ad::reshape(tape, x, flat), tape.constant(s));
    };
    after[kBest] =
        ad::reshape(tape, ad::add(tape, chosen(f, mask), chosen(h[kBest], rest)), f.shape());
    after[kScore] = tape.constant(score);
  }

  Schedule schedule_;
  parts::Solver solver_;
  double damping_;
  parts::StateStart start_;
  parts::Embed embed_;
  parts::Inject inject_;
  std::vector<parts::Block> blocks_;
  parts::Norm norm_;
  parts::Head head_;
  std::vector<Site> sites_;
};

}  // namespace

std::unique_ptr<Reasoner> make_deq(const ModelArgs& args) {
  return std::make_unique<Deq>(args);
}

}  // namespace sv
