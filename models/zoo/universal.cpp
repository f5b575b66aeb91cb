// universal: the Universal Transformer (Dehghani et al., arXiv 1807.03819) with adaptive
// computation time at every position (ACT; Graves, arXiv 1603.08983). One loop is three updates, n
// = 1, 2, ...:
//
//   s_n = F(s_(n-1) + signals)                      the shared blocks, or a GRU cell
//   p_n = q_n = sigmoid(w s_n + b)                  while q_1 + ... + q_n <= 1 - epsilon; at the
//   p_n = 1 - (q_1 + ... + q_(n-1))                 first n where the sum exceeds it: the remainder
//   mean_n = mean_(n-1) + p_n s_n
//
// A position that has halted keeps s, and the others still attend to it. After any update the rest
// of the probability is put on the present state, y = C(mean + (1 - sum p) s): where a run is cut
// off, that is Graves' remainder. The ponder cost of a position is N + R, its updates and its
// remainder, with gradient through R = 1 - (q_1 + ... + q_(N-1)) alone; penalty is its mean over
// the tokens' positions, where padding costs nothing. The halting score is sum p - (1 - epsilon),
// above 0 where a position has halted: with rule learned a row stops when all its positions have.
//
// What differs from the authors' code (tensor2tensor): the halting probability is read from the
// state after the update, as Graves writes it, not before; the bias starts negative (they: +1,
// which often ends in two updates for good, arXiv 2604.21999); the transition is an MLP. Sapunov's
// form (the same) has memory tokens and a norm-free SwiGLU; its norm of queries and keys is not
// here.
#include <cmath>

#include "kernels/memory/copy.h"
#include "models/parts/cell.h"
#include "models/zoo.h"

namespace sv {

namespace {

/// Sinusoids (Vaswani et al., arXiv 1706.03762): channel 2j of place x is sin(x 10000^(-2j/D)),
/// channel 2j + 1 the cosine. Added to the state: of its position, of the loop, or of both.
class Signals {
 public:
  Signals(const Params& params, const std::string& kind, int64_t positions, int64_t width)
      : step_(kind == "step" || kind == "both"), width_(width) {
    if (kind != "position" && kind != "both") {
      return;
    }
    Buffer ids({1, 1, positions}, DType::i32);
    Buffer table({params.models(), positions, width}, params.dtype());
    for (int64_t t = 0; t < positions; ++t) {
      ids.tensor().as<int32_t>()[t] = static_cast<int32_t>(t);
      for (int64_t m = 0; m < params.models(); ++m) {
        write(table.tensor().slice(m, 1), t * width, t);
      }
    }
    ids_ = placed(std::move(ids), params.device());
    table_ = placed(std::move(table), params.device());
  }
  /// h (M,B,S,D) in loop n.
  Var operator()(Pass& pass, Var h, int n) const {
    Tape& t = pass.tape;
    if (table_.tensor()) {
      const Var table = t.constant(pass.members.of(table_));
      h = ad::add(t, h, ad::embed(t, ids_, table, h.shape()[1]));
    }
    if (step_) {
      const Tensor row = host_tensor(t.ctx, {h.shape()[0], width_}, h.value().dtype);
      for (int64_t m = 0; m < row.dim(0); ++m) {
        write(row, m * width_, n);
      }
      h = ad::add_columns(t, h, t.constant(to_device(t.ctx, row)));
    }
    return h;
  }

 private:
  void write(const Tensor& to, int64_t begin, int64_t place) const {
    constexpr double kLogBase = 9.210340371976184;  // of 10000
    for (int64_t i = 0; i < width_; ++i) {
      const double pair = static_cast<double>(i - i % 2) / static_cast<double>(width_);
      double sine = 0, cosine = 0;
      point::sine_cosine(
          static_cast<double>(place) * point::exp_poly(-kLogBase * pair), sine, cosine);
      with_float(to.dtype, [&]<class T>() {
        to.as<T>()[begin + i] = static_cast<T>(i % 2 == 0 ? sine : cosine);
      });
    }
  }
  bool step_;
  int64_t width_;
  Buffer ids_;    // i32 (1, 1, S)
  Buffer table_;  // (M, S, D)
};

class Universal : public Reasoner {
 public:
  explicit Universal(const ModelArgs& a)
      : Reasoner(a.seeds, a.dtype, a.device, a.allocate),
        cell_(parts::make_cell(params_, a.model, a.task)),
        halt_(params_, a.model.width, a.model.halt_bias),
        signals_(params_, a.model.signals, cell_->positions(), a.model.width),
        bound_(1 - a.model.act_epsilon),
        whole_row_(a.model.cell == "gru") {
    SV_CHECK(a.model.cell == "block" || a.model.signals == "none",
             "model.signals=",
             a.model.signals,
             " needs model.cell=block");
    schedule_.parts = {"s", "halting", "mean"};
    schedule_.writes = {kState, kHalting, kMean};
    schedule_.index = {"loop", "write"};
    schedule_.inner = {3};
    schedule_.prefix = cell_->prefix();
    schedule_.block_part = kState;
    schedule_.step_signal = a.model.signals == "step" || a.model.signals == "both";
  }

  const Schedule& schedule() const override { return schedule_; }
  std::vector<Site> sites() const override {
    std::vector<Site> out = {{Phase::encode, Point::encoded},
                             {Phase::readout, Point::readout_norm},
                             {Phase::readout, Point::logits},
                             {Phase::loop, Point::halt}};
    for (int part = 0; part < 3; ++part) {
      out.push_back({Phase::loop, Point::state_in, -1, 0, part});
      out.push_back({Phase::loop, Point::state_out, -1, 0, part});
    }
    cell_->add_sites(out);
    return out;
  }
  Var encode(Pass& pass, const Inputs& in) override { return cell_->encode(pass, in); }
  State init(Pass& pass, const Inputs& in, Var e) override {
    const Var s = cell_->start(pass, in, e);
    const DType dtype = s.value().dtype;
    const Shape rows = s.shape().with(-1, 1);
    Var total = parts::zeros(pass, rows, dtype);
    if (const Var use = parts::positions_in_use(pass, in, cell_->prefix(), dtype);
        use && !whole_row_) {
      total =
          ad::affine(pass.tape, ad::reshape(pass.tape, use, rows), -1, 1);  // padding has halted
    }
    return {{s,
             ad::concat(pass.tape, total, parts::zeros(pass, rows.with(-1, kColumns - 1), dtype)),
             parts::zeros(pass, s.shape(), dtype)}};
  }
  State step(Pass& pass, const Inputs& in, const State& h, Var e) override {
    State after = h;
    switch (schedule_.part_of(pass.r)) {
      case kState:
        after[kState] = next_state(pass, in, h, e);
        break;
      case kHalting:
        after[kHalting] = next_halting(pass, h);
        break;
      default:
        after[kMean] =
            ad::add(pass.tape,
                    h[kMean],
                    ad::mul_rows(pass.tape, h[kState], column(pass, h[kHalting], kWeight)));
    }
    return after;
  }
  Var readout(Pass& pass, const Inputs&, const State& h, Var) override {
    Tape& t = pass.tape;
    const Var rest = ad::affine(t, column(pass, h[kHalting], kTotal), -1, 1);
    return cell_->readout(pass, ad::add(t, h[kMean], ad::mul_rows(t, h[kState], rest)));
  }
  /// (M,B,T); (M,B) of a GRU, whose one vector stands for the row.
  Var halt_logit(Pass& pass, const State& h) override {
    const Var total = of_tokens(pass, column(pass, h[kHalting], kTotal));
    const Var margin = ad::affine(pass.tape, total, 1, -bound_);
    const Shape& s = margin.shape();
    return whole_row_ ? ad::reshape(pass.tape, margin, {s[0], s[1]}) : margin;
  }
  Var penalty(Pass& pass, const Inputs&, const State& h, Var) override {
    Tape& t = pass.tape;
    const Var cost = of_tokens(
        pass,
        ad::add(t, column(pass, h[kHalting], kUpdates), column(pass, h[kHalting], kRemainder)));
    return ad::scale(t, ad::sum_last(t, cost), 1.0 / static_cast<double>(cost.shape()[2]));
  }

 private:
  enum : int { kState = 0, kHalting = 1, kMean = 2 };
  /// Columns of the halting part (M,B,S,4): sum of p (1 once a position has halted), updates N,
  /// remainder R as if it halted now, and p of this loop (0 if it had halted before).
  enum : int { kTotal = 0, kUpdates = 1, kRemainder = 2, kWeight = 3, kColumns = 4 };

  static Var column(Pass& pass, Var halting, int i) {  // (M,B,S)
    const Shape& s = halting.shape();
    return ad::reshape(pass.tape, ad::slice_columns(pass.tape, halting, i, 1), {s[0], s[1], s[2]});
  }
  Var of_tokens(Pass& pass, Var x) const {  // (M,B,S) to (M,B,S - prefix)
    const int prefix = cell_->prefix();
    return prefix == 0 ? x : ad::slice_positions(pass.tape, x, prefix, x.shape()[2] - prefix);
  }
  /// 1 where total exceeds the bound, else 0.
  Var exceeds(Pass& pass, Var total) const {
    return ad::activate(pass.tape, ops::Activation::step, ad::affine(pass.tape, total, 1, -bound_));
  }
  /// a where `which` is 1, b where it is 0, exactly.
  static Var select(Tape& t, Var which, Var a, Var b) {
    return ad::add(t, ad::mul(t, which, a), ad::mul(t, ad::affine(t, which, -1, 1), b));
  }

  Var next_state(Pass& pass, const Inputs& in, const State& h, Var e) const {
    Tape& t = pass.tape;
    const Var x = signals_(pass, h[kState], schedule_.index_of(pass.r, 0));
    const Var moved = cell_->update(pass, in, x, e);
    const Var halted = exceeds(pass, column(pass, h[kHalting], kTotal));
    return ad::add(t,
                   ad::mul_rows(t, moved, ad::affine(t, halted, -1, 1)),
                   ad::mul_rows(t, h[kState], halted));
  }

  Var next_halting(Pass& pass, const State& h) const {
    Tape& t = pass.tape;
    const Var total = column(pass, h[kHalting], kTotal);
    const Var runs = ad::affine(t, exceeds(pass, total), -1, 1);
    const Var rest = ad::affine(t, total, -1, 1);
    const Var q = ad::mul(
        t, runs, ad::activate(t, ops::Activation::sigmoid, halt_.positions(pass, h[kState])));
    const Var ends = exceeds(pass, ad::add(t, total, q));  // now or before; before: rest = q = 0
    const Var weight = select(t, ends, ad::mul(t, runs, rest), q);
    const Var columns[kColumns] = {ad::add(t, total, weight),
                                   ad::add(t, column(pass, h[kHalting], kUpdates), runs),
                                   select(t, runs, rest, column(pass, h[kHalting], kRemainder)),
                                   weight};
    Var out;
    for (const Var c : columns) {
      const Shape& s = c.shape();
      const Var one = ad::reshape(t, c, {s[0], s[1], s[2], 1});
      out = out ? ad::concat(t, out, one) : one;
    }
    return out;
  }

  Schedule schedule_;
  std::unique_ptr<parts::Cell> cell_;
  parts::HaltHead halt_;
  Signals signals_;
  double bound_;
  bool whole_row_;
};

}  // namespace

std::unique_ptr<Reasoner> make_universal(const ModelArgs& args) {
  return std::make_unique<Universal>(args);
}

}  // namespace sv
