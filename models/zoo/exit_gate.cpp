// exit_gate: a looped language model with a learned gate on every loop (Ouro, arXiv 2510.25741):
//
//   h_0 = E x        h_r = N(blocks(h_(r-1)))        y_r = W h_r        lambda_r = sigmoid(w h_r +
//   b) p_r = lambda_r (1 - lambda_1) ... (1 - lambda_(r-1)), the last loop takes what is left
//
// The normed state is fed back; the input does not enter again. Blocks have norms before and after
// each branch, x <- x + N2(f(N1 x)). Training minimises sum_r p_r L_r + beta KL(p || uniform) for
// every token (train.supervision=expected). A second stage (train.gate_only=STEP) freezes all but
// the gate and fits it to what a loop more brings (objectives/gate.cpp). At inference a position
// stops when the cumulated p reaches halt.threshold (halt.rule=cdf), a row when all its positions
// have. model.gate=row asks the mean state of the row instead.
//
// What differs from the authors' code: rows that have stopped leave the batch, where theirs makes
// all loops and selects one afterwards; arithmetic is f32, not bf16; matrices start as in the other
// families; the gate starts at weight 0 and bias halt_bias = -1, near the uniform prior over four
// loops.
#include "models/parts/parts.h"
#include "models/zoo.h"

namespace sv {

namespace {

class ExitGate : public Reasoner {
 public:
  ExitGate(const ModelArgs& a, const parts::BlockShape& shape)
      : Reasoner(a.seeds, a.dtype, a.device, a.allocate),
        by_token_(a.model.gate == "token"),
        causal_(shape.causal),
        embed_(params_, a.task, a.model),
        core_(parts::blocks(params_, "core", a.model.layers, shape)),
        norm_(params_, "state_norm", a.model.norm, a.model.width),
        head_(params_, a.task, a.model, embed_, parts::fan_in(a.model.width)),
        sites_(parts::block_sites(a.model)) {
    std::erase(sites_, Site{Phase::loop, Point::injected});
    if (a.model.halt_head) {
      gate_.emplace(params_, a.model.width, a.model.halt_bias);
      sites_.push_back({Phase::loop, Point::halt});
    }
  }

  const Schedule& schedule() const override { return schedule_; }
  std::vector<Site> sites() const override { return sites_; }
  bool decodes() const override { return causal_; }

  Var encode(Pass& pass, const Inputs& in) override {
    return pass.tap(Point::encoded, embed_(pass, in));
  }
  State init(Pass&, const Inputs&, Var e) override { return {{e}}; }
  State step(Pass& pass, const Inputs& in, const State& h, Var) override {
    Var x = h[0];
    for (const parts::Block& block : core_) {
      x = block(pass, in, x);
    }
    return {{norm_(pass, x)}};
  }
  Var readout(Pass& pass, const Inputs&, const State& h, Var) override { return head_(pass, h[0]); }
  Var halt_logit(Pass& pass, const State& h) override {
    if (!gate_) {
      return {};
    }
    return by_token_ ? gate_->positions(pass, h[0]) : (*gate_)(pass, h[0]);
  }

 private:
  bool by_token_, causal_;
  Schedule schedule_;
  parts::Embed embed_;
  std::vector<parts::Block> core_;
  parts::Norm norm_;
  parts::TokenHead head_;
  std::optional<parts::HaltHead> gate_;
  std::vector<Site> sites_;
};

}  // namespace

std::unique_ptr<Reasoner> make_exit_gate(const ModelArgs& args) {
  return std::make_unique<ExitGate>(args, parts::block_shape(args.model, args.task));
}

}  // namespace sv
