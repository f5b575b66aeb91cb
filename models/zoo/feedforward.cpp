// feedforward: the untied control of looped. Every update has blocks of its own, so it has a last
// one: equal depth at equal width, or (model.match=parameters) equal parameters at a smaller width.
// Same encoder, injection and readout.
#include <algorithm>

#include "models/parts/parts.h"
#include "models/zoo.h"

namespace sv {

namespace {

class Feedforward : public Reasoner {
 public:
  Feedforward(const ModelArgs& a)
      : Reasoner(a.seeds, a.dtype, a.device, a.allocate),
        start_(params_, "h", a.model.init, a.model.width),
        embed_(params_, a.task, a.model),
        inject_(params_, "inject", a.model.injection, a.model.width, a.model.without_injection),
        head_(params_, a.model.norm, a.model.width, a.task.answers) {
    const parts::BlockShape shape = parts::block_shape(a.model, a.task);
    SV_CHECK(a.model.depth > 0,
             "model.depth is the number of untied updates and must be set for feedforward");
    causal_ = shape.causal;
    schedule_.max_updates = a.model.depth;
    for (int r = 1; r <= a.model.depth; ++r) {
      const std::string name = "update." + std::to_string(r);
      Layer layer;
      for (int l = 0; l < a.model.layers; ++l) {
        layer.blocks.emplace_back(params_, name + "." + std::to_string(l), shape, l);
      }
      if (a.model.state_norm) {
        layer.norm.emplace(params_, name + ".state_norm", a.model.norm, a.model.width);
      }
      layers_.push_back(std::move(layer));
    }
    sites_ = {{Phase::encode, Point::encoded},
              {Phase::loop, Point::state_in, -1, 0, 0},
              {Phase::loop, Point::state_out, -1, 0, 0},
              {Phase::readout, Point::readout_norm},
              {Phase::readout, Point::logits}};
    if (a.model.injection != "none") {
      sites_.push_back({Phase::loop, Point::injected});
    }
    for (int l = 0; l < a.model.layers; ++l) {
      parts::Block::add_sites(sites_, Phase::loop, l);
    }
  }

  const Schedule& schedule() const override { return schedule_; }
  std::vector<Site> sites() const override { return sites_; }
  bool decodes() const override { return causal_; }
  Var encode(Pass& pass, const Inputs& in) override {
    return pass.tap(Point::encoded, embed_(pass, in));
  }
  State init(Pass& pass, const Inputs& in, Var e) override { return {{start_(pass, in, e)}}; }
  State step(Pass& pass, const Inputs& in, const State& h, Var e) override {
    const Layer& layer = layers_.at(static_cast<size_t>(pass.r - 1));
    Var x = inject_(pass, h[0], e);
    for (const parts::Block& block : layer.blocks) {
      x = block(pass, in, x);
    }
    return {{layer.norm ? (*layer.norm)(pass, x) : x}};
  }
  Var readout(Pass& pass, const Inputs&, const State& h, Var) override { return head_(pass, h[0]); }

 private:
  struct Layer {
    std::vector<parts::Block> blocks;
    std::optional<parts::Norm> norm;
  };
  bool causal_ = false;
  Schedule schedule_;
  parts::StateStart start_;
  parts::Embed embed_;
  parts::Inject inject_;
  parts::Head head_;
  std::vector<Layer> layers_;
  std::vector<Site> sites_;
};

/// The widest model with the asked depth whose parameters do not exceed those of the looped model.
ModelSettings shrink_to_parameters(const ModelArgs& args) {
  ModelArgs looped = args;
  looped.model.name = "looped";
  looped.seeds = {0};
  looped.device = nullptr;
  looped.allocate = false;  // only counted
  const int64_t budget = make_looped(looped)->params().count();
  ModelArgs narrow = looped;
  const int step = 2 * args.model.heads;  // keeps head widths even
  for (int width = args.model.width / step * step; width >= step; width -= step) {
    narrow.model.width = width;
    narrow.model.hidden = args.model.hidden * width / args.model.width;
    if (Feedforward(narrow).params().count() <= budget) {
      return narrow.model;
    }
  }
  fail("no feedforward model of depth ", args.model.depth, " fits into ", budget, " parameters");
}

}  // namespace

std::unique_ptr<Reasoner> make_feedforward(const ModelArgs& args) {
  SV_CHECK(args.model.prelude == 0 && args.model.coda == 0 && !args.model.halt_head,
           "feedforward has no prelude, coda or halting head");
  ModelArgs used = args;
  if (args.model.match == "parameters") {
    used.model = shrink_to_parameters(args);
  }
  return std::make_unique<Feedforward>(used);
}

}  // namespace sv
