// mixture_of_recursions: one stack of blocks, and for every token its own number of passes through
// it (Bae et al., arXiv 2507.10524). N = model.recursions, h_0 = e after the prelude.
//
//   expert choice (model.routing=expert): pass r takes, of the tokens that pass r-1 took, the share
//     (N - r + 1) / N of the row's with the largest router logits w_r h; g = sigmoid of the logit
//   token choice (model.routing=token): softmax of W h_0 chooses each token's number of passes, and
//   g
//     is the chosen one's probability
//   taken tokens: h <- h + g (blocks(h) - h), among themselves; the others keep their h
//
// Tokens that are not taken are left out of the computation: blocks run on the gathered ones.
// Expert choice looks at the whole row, so it is for tasks without a causal mask. train.penalty
// weighs the router's own loss, so that a threshold can later stand for the choice: binary
// cross-entropy of the logits against "was taken" (expert), N sum of (share taken x mean
// probability) (token; Fedus et al., arXiv 2101.03961). What differs from the authors' code (known
// from the paper's abstract and from issues): g moves h towards the blocks' output, which holds h
// already. Tokens keep their order but not their distance, so rotary positions are refused. There
// are no sites inside the blocks.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/memory/copy.h"
#include "models/parts/parts.h"
#include "models/zoo.h"

namespace sv {

namespace {

enum : int { kState = 0, kRoute = 1, kCost = 2 };

class MixtureOfRecursions : public Reasoner {
 public:
  explicit MixtureOfRecursions(const ModelArgs& a)
      : Reasoner(a.seeds, a.dtype, a.device, a.allocate),
        recursions_(a.model.recursions),
        expert_(a.model.routing == "expert"),
        embed_(params_, a.task, a.model),
        head_(params_, a.model.norm, a.model.width, a.task.answers) {
    const parts::BlockShape shape = parts::block_shape(a.model, a.task);
    SV_CHECK(!shape.rope, "model.positions=rope: taken tokens do not keep their distances");
    SV_CHECK(!expert_ || !shape.causal,
             "model.routing=expert looks at later tokens: use token with a causal mask");
    const auto add = [&](std::vector<parts::Block>& blocks, const std::string& name, int count) {
      for (int l = 0; l < count; ++l) {
        blocks.emplace_back(params_, name + "." + std::to_string(l), shape, l);
      }
    };
    add(prelude_, "prelude", a.model.prelude);
    add(core_, "core", a.model.layers);
    add(coda_, "coda", a.model.coda);
    const int64_t d = a.model.width;
    for (int r = 0; r < (expert_ ? recursions_ : 1); ++r) {
      routers_.emplace_back(
          params_, "router." + std::to_string(r), d, expert_ ? 1 : recursions_, parts::fan_in(d));
    }
    schedule_.parts = {"h", "route", "cost"};
    schedule_.index = {"recursion"};
    schedule_.together = true;
    schedule_.max_updates = recursions_;
    sites_ = {{Phase::encode, Point::encoded},
              {Phase::readout, Point::readout_norm},
              {Phase::readout, Point::logits}};
    add_state_sites(sites_, schedule_);
  }

  const Schedule& schedule() const override { return schedule_; }
  std::vector<Site> sites() const override { return sites_; }
  Var encode(Pass& pass, const Inputs& in) override {
    return pass.tap(Point::encoded, through(prelude_, pass, in, embed_(pass, in)));
  }
  /// route (M,B,T): the last pass that takes the token (token choice), or 1 while it is taken
  /// (expert choice); cost (M,B,1).
  State init(Pass& pass, const Inputs& in, Var e) override {
    SV_CHECK(pass.tape.ctx.device == nullptr, "mixture_of_recursions runs on the CPU");
    State h;
    const Shape& x = e.shape();
    h[kState] = e;
    h[kCost] = parts::zeros(pass, {x[0], x[1], 1}, e.value().dtype);
    const Var none = parts::zeros(pass, {x[0], x[1], x[2]}, e.value().dtype);
    h[kRoute] = expert_ ? pass.tape.constant(fill(pass, in, none.value(), 1))
                        : pass.tape.constant(chosen_depth(pass, in, e));
    return h;
  }
  State step(Pass& pass, const Inputs& in, const State& h, Var e) override {
    Tape& t = pass.tape;
    const Shape& x = h[kState].shape();
    State after = h;
    Var logit, gate;
    if (expert_) {
      const Var one = routers_[static_cast<size_t>(pass.r - 1)](pass, h[kState]);
      logit = ad::reshape(t, one, {x[0], x[1], x[2]});
      gate = ad::activate(t, ops::Activation::sigmoid, one);
      after[kRoute] = t.constant(take_largest(pass, in, h[kRoute].value(), logit.value()));
      after[kCost] = ad::add(t, h[kCost], expert_cost(pass, in, h, after, logit));
    } else {
      gate = chosen_gate(pass, in, h, e);
      after[kCost] = pass.r == 1 ? token_cost(pass, in, h, e) : h[kCost];
    }
    Inputs taken;
    const Tensor ids = taken_ids(pass, after[kRoute].value(), taken);
    if (!ids) {
      return after;  // no token goes on
    }
    const Var some = ad::gather_positions(t, h[kState], ids);
    Pass inside = pass;
    inside.taps = nullptr;
    const Var y = through(core_, inside, taken, some);
    const Var g = ad::reshape(t, ad::gather_positions(t, gate, ids), some.shape().without_last());
    const Var moved = ad::add(t, some, ad::mul_rows(t, ad::mix(t, y, 1, some, -1), g));
    after[kState] = ad::scatter_positions(t, h[kState], moved, ids);
    return after;
  }
  Var readout(Pass& pass, const Inputs& in, const State& h, Var) override {
    return head_(pass, through(coda_, pass, in, h[kState]));
  }
  Var penalty(Pass& pass, const Inputs&, const State& h, Var) override {
    return ad::reshape(pass.tape, h[kCost], {h[kCost].shape()[0], h[kCost].shape()[1]});
  }

 private:
  static Var through(const std::vector<parts::Block>& blocks, Pass& pass, const Inputs& in, Var x) {
    for (const parts::Block& block : blocks) {
      x = block(pass, in, x);
    }
    return x;
  }
  /// Positions in use of row b of the run's model m.
  static int64_t length(const Inputs& in, int64_t m, int64_t b, int64_t positions) {
    return in.lengths ? in.lengths.as<int32_t>()[(in.lengths.dim(0) == 1 ? 0 : m) * in.batch() + b]
                      : positions;
  }
  /// Calls f(m, b, first element of the row, positions in use) for rows of live models; x (M,B,T).
  template <class F>
  static void for_rows(const Pass& pass, const Inputs& in, const Tensor& x, F&& f) {
    const int64_t rows = x.dim(1), positions = x.dim(2);
    for (int i = 0; i < pass.tape.ctx.model_count(x); ++i) {
      const int64_t m = pass.tape.ctx.model(i);
      for (int64_t b = 0; b < rows; ++b) {
        f(m, b, (m * rows + b) * positions, length(in, m, b, positions));
      }
    }
  }
  /// A copy with `value` at the positions in use.
  static Tensor fill(const Pass& pass, const Inputs& in, const Tensor& x, double value) {
    with_float(x.dtype, [&]<class T>() {
      for_rows(pass, in, x, [&](int64_t, int64_t, int64_t at, int64_t used) {
        std::fill_n(x.as<T>() + at, used, static_cast<T>(value));
      });
    });
    return x;
  }
  /// Of the tokens of `route` that are not 0, the share of this pass with the largest logits; the
  /// earlier one of equals.
  Tensor take_largest(const Pass& pass,
                      const Inputs& in,
                      const Tensor& route,
                      const Tensor& logit) const {
    const Tensor out = make_tensor(pass.tape.arena(), route.shape, route.dtype);
    out.zero();
    int64_t* order = pass.tape.host().alloc_n<int64_t>(static_cast<size_t>(route.dim(2)));
    with_float(route.dtype, [&]<class T>() {
      for_rows(pass, in, route, [&](int64_t, int64_t, int64_t at, int64_t used) {
        const T* score = logit.as<T>() + at;
        int64_t count = 0;
        for (int64_t i = 0; i < used; ++i) {
          if (route.as<T>()[at + i] != T{0}) {
            order[count++] = i;
          }
        }
        const int64_t keep =
            std::min(count, (used * (recursions_ - pass.r + 1) + recursions_ - 1) / recursions_);
        std::sort(order, order + count, [&](int64_t a, int64_t b) {
          return score[a] != score[b] ? score[a] > score[b] : a < b;
        });
        for (int64_t i = 0; i < keep; ++i) {
          out.as<T>()[at + order[i]] = T{1};
        }
      });
    });
    return out;
  }
  /// Positions that pass r takes, ascending, as ids (M,B,K) with -1 behind them, K the most of any
  /// row; `taken` gets the rows' counts as lengths. Empty if there are none.
  Tensor taken_ids(const Pass& pass, const Tensor& route, Inputs& taken) const {
    const int64_t models = route.dim(0), rows = route.dim(1), positions = route.dim(2);
    const Context& ctx = pass.tape.ctx;
    const Tensor counts = host_tensor(ctx, {models, rows}, DType::i32);
    counts.zero();
    const double least = expert_ ? 1 : pass.r;
    int32_t most = 0;
    for (int64_t i = 0; i < route.numel(); ++i) {
      int32_t& count = counts.as<int32_t>()[i / positions];
      count += element(route, i) >= least ? 1 : 0;
      most = std::max(most, count);
    }
    if (most == 0) {
      return {};
    }
    const Tensor ids = host_tensor(ctx, {models, rows, most}, DType::i32);
    std::fill_n(ids.as<int32_t>(), ids.numel(), -1);
    for (int64_t row = 0; row < models * rows; ++row) {
      int32_t* to = ids.as<int32_t>() + row * most;
      for (int64_t i = 0; i < positions; ++i) {
        if (element(route, row * positions + i) >= least) {
          *to++ = static_cast<int32_t>(i);
        }
      }
    }
    taken.tokens = ids;
    taken.lengths = counts;
    return ids;
  }
  /// Token choice: the number of passes of every token, 0 behind the positions in use.
  Tensor chosen_depth(Pass& pass, const Inputs& in, Var e) const {
    const Shape& x = e.shape();
    Tape plain(pass.tape.ctx, false);
    Pass own{plain, pass.params, nullptr, pass.phase, pass.r, pass.members, pass.packed};
    const Tensor logits = routers_[0](own, plain.constant(e.value())).value();
    const Tensor out = make_tensor(pass.tape.arena(), {x[0], x[1], x[2]}, logits.dtype);
    out.zero();
    with_float(out.dtype, [&]<class T>() {
      for_rows(pass, in, out, [&](int64_t, int64_t, int64_t at, int64_t used) {
        for (int64_t i = at; i < at + used; ++i) {
          const T* row = logits.as<T>() + i * recursions_;
          out.as<T>()[i] = static_cast<T>(1 + (std::max_element(row, row + recursions_) - row));
        }
      });
    });
    return out;
  }
  Var probabilities(Pass& pass, Var e) const {
    return ad::softmax(pass.tape, routers_[0](pass, e));
  }
  /// One at the chosen number of passes of every token in use: (M,B,T,N).
  Var choice(Pass& pass, const State& h) const {
    const Tensor route = h[kRoute].value();
    const Tensor out = make_tensor(
        pass.tape.arena(), {route.dim(0), route.dim(1), route.dim(2), recursions_}, route.dtype);
    out.zero();
    with_float(out.dtype, [&]<class T>() {
      for (int64_t i = 0; i < route.numel(); ++i) {
        // Whole numbers up to N, unless a tap has written others.
        const auto depth = std::min<int64_t>(static_cast<int64_t>(route.as<T>()[i]), recursions_);
        if (depth > 0) {
          out.as<T>()[i * recursions_ + depth - 1] = T{1};
        }
      }
    });
    return pass.tape.constant(out);
  }
  /// The probability of the chosen number of passes, (M,B,T,1).
  Var chosen_gate(Pass& pass, const Inputs&, const State& h, Var e) const {
    Tape& t = pass.tape;
    const Var g = ad::sum_last(t, ad::mul(t, probabilities(pass, e), choice(pass, h)));
    const Shape& x = g.shape();
    return ad::reshape(t, g, {x[0], x[1], x[2], 1});
  }
  /// (M,B,T) of 1 / (positions in use) where `keep` is not 0.
  static Var per_token(Pass& pass, const Inputs& in, const Tensor& keep) {
    const Tensor out = make_tensor(pass.tape.arena(), keep.shape, keep.dtype);
    out.zero();
    with_float(out.dtype, [&]<class T>() {
      for_rows(pass, in, out, [&](int64_t, int64_t, int64_t at, int64_t used) {
        for (int64_t i = at; i < at + used; ++i) {
          out.as<T>()[i] = keep.as<T>()[i] != T{0} ? T{1} / static_cast<T>(used) : T{0};
        }
      });
    });
    return pass.tape.constant(out);
  }
  /// softplus(x) - taken x, over the tokens that could be taken; (M,B,1).
  static Var expert_cost(
      Pass& pass, const Inputs& in, const State& before, const State& after, Var logit) {
    Tape& t = pass.tape;
    const Var entropy = ad::mix(t,
                                ad::activate(t, ops::Activation::softplus, logit),
                                1,
                                ad::mul(t, logit, after[kRoute]),
                                -1);
    const Var sum =
        ad::sum_last(t, ad::mul(t, entropy, per_token(pass, in, before[kRoute].value())));
    return ad::reshape(t, sum, before[kCost].shape());
  }
  /// N sum over the numbers of passes of (share of tokens) x (mean probability); (M,B,1).
  Var token_cost(Pass& pass, const Inputs& in, const State& h, Var e) const {
    Tape& t = pass.tape;
    const Var each = per_token(pass, in, h[kRoute].value());
    const auto mean = [&](Var x) {  // (M,B,T,N) to (M,B,N)
      return ad::sum_last(t, ad::transpose(t, ad::mul_rows(t, x, each)));
    };
    const Var product = ad::mul(t, mean(choice(pass, h)), mean(probabilities(pass, e)));
    return ad::reshape(t, ad::scale(t, ad::sum_last(t, product), recursions_), h[kCost].shape());
  }

  Schedule schedule_;
  int recursions_;
  bool expert_;
  parts::Embed embed_;
  std::vector<parts::Block> prelude_, core_, coda_;
  std::vector<parts::Linear> routers_;
  parts::Head head_;
  std::vector<Site> sites_;
};

}  // namespace

std::unique_ptr<Reasoner> make_mixture_of_recursions(const ModelArgs& args) {
  return std::make_unique<MixtureOfRecursions>(args);
}

}  // namespace sv
