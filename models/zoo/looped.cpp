// looped: h_r = N(blocks(inject(h_{r-1}, e))), the same weights at every update. Optional prelude
// and coda blocks. The settings of the demo are those of a one-block loop with input injection and
// state norm.
#include "models/parts/parts.h"
#include "models/zoo.h"

namespace sv {

namespace {

class Looped : public Reasoner {
 public:
  Looped(const ModelArgs& a)
      : Reasoner(a.seeds, a.dtype, a.device, a.allocate),
        start_(params_, "h", a.model.init, a.model.width),
        embed_(params_, a.task, a.model),
        inject_(params_, "inject", a.model.injection, a.model.width, a.model.without_injection),
        head_(params_, a.model.norm, a.model.width, a.task.answers) {
    SV_CHECK(a.model.injection != "none" || a.model.init == "input",
             "model.injection=none needs model.init=input: otherwise the input never enters");
    const parts::BlockShape shape = parts::block_shape(a.model, a.task);
    causal_ = shape.causal;
    prelude_ = parts::blocks(params_, "prelude", a.model.prelude, shape);
    core_ = parts::blocks(params_, "core", a.model.layers, shape);
    coda_ = parts::blocks(params_, "coda", a.model.coda, shape);
    schedule_.step_signal = !a.model.without_injection.empty();  // at the first update
    if (a.model.state_norm) {
      state_norm_.emplace(params_, "state_norm", a.model.norm, a.model.width);
    }
    if (a.model.halt_head) {
      halt_.emplace(params_, a.model.width);
    }
    sites_ = parts::block_sites(a.model);
    sites_.push_back({Phase::readout, Point::readout_norm});
    if (a.model.halt_head) {
      sites_.push_back({Phase::loop, Point::halt});
    }
  }

  const Schedule& schedule() const override { return schedule_; }
  std::vector<Site> sites() const override { return sites_; }
  bool decodes() const override { return causal_; }

  Var encode(Pass& pass, const Inputs& in) override {
    Var e = embed_(pass, in);
    for (const parts::Block& block : prelude_) {
      e = block(pass, in, e);
    }
    return pass.tap(Point::encoded, e);
  }
  State init(Pass& pass, const Inputs& in, Var e) override { return {{start_(pass, in, e)}}; }
  State step(Pass& pass, const Inputs& in, const State& h, Var e) override {
    Var x = inject_(pass, h[0], e);
    for (const parts::Block& block : core_) {
      x = block(pass, in, x);
    }
    return {{state_norm_ ? (*state_norm_)(pass, x) : x}};
  }
  Var readout(Pass& pass, const Inputs& in, const State& h, Var) override {
    Var x = h[0];
    for (const parts::Block& block : coda_) {
      x = block(pass, in, x);
    }
    return head_(pass, x);
  }
  Var halt_logit(Pass& pass, const State& h) override {
    return halt_ ? (*halt_)(pass, h[0]) : Var{};
  }

 private:
  bool causal_ = false;
  Schedule schedule_;
  parts::StateStart start_;
  parts::Embed embed_;
  std::vector<parts::Block> prelude_, core_, coda_;
  parts::Inject inject_;
  std::optional<parts::Norm> state_norm_;
  parts::Head head_;
  std::optional<parts::HaltHead> halt_;
  std::vector<Site> sites_;
};

}  // namespace

std::unique_ptr<Reasoner> make_looped(const ModelArgs& args) {
  return std::make_unique<Looped>(args);
}

}  // namespace sv
