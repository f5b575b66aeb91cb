// gru: the recurrent baseline. It runs once over the positions of the sequence, so its only depth
// is the number of stacked layers, and update r is layer r:
//
//   h_0 = e   h_r = GRU_r over h_(r-1)   y_r = C(h_r)
//
// There is no depth axis: layers are untied, model.depth of them, and a run cannot make more. With
// a causal mask a layer reads from left to right; without one it reads both ways, half of the width
// each, and the backward half starts at the last position in use.
#include "models/parts/gru.h"
#include "models/parts/cell.h"
#include "models/zoo.h"

namespace sv {

namespace {

class StackedGru : public Reasoner {
 public:
  explicit StackedGru(const ModelArgs& a)
      : Reasoner(a.seeds, a.dtype, a.device, a.allocate),
        embed_(params_, a.task, a.model),
        head_(params_, a.model.norm, a.model.width, a.task.answers) {
    const bool causal = a.model.mask == "causal" || (a.model.mask == "task" && a.task.causal);
    SV_CHECK(a.model.positions != "rope", "model.positions=rope: gru has no attention; use none");
    SV_CHECK(causal || a.model.width % 2 == 0,
             "model.width = ",
             a.model.width,
             ": reading both ways needs an even width");
    SV_CHECK(a.model.depth > 0, "model.depth = 0: gru needs at least one layer");
    for (int l = 0; l < a.model.depth; ++l) {
      const std::string name = "layer." + std::to_string(l);
      const int64_t width = a.model.width;
      Layer layer{{params_, name + ".forward", width, causal ? width : width / 2}, {}};
      if (!causal) {
        layer.backward.emplace(params_, name + ".backward", width, width / 2);
      }
      layers_.push_back(layer);
    }
    schedule_.index = {"layer"};
    schedule_.max_updates = a.model.depth;
  }

  const Schedule& schedule() const override { return schedule_; }
  std::vector<Site> sites() const override {
    return {{Phase::encode, Point::encoded},
            {Phase::loop, Point::state_in, -1, 0, 0},
            {Phase::loop, Point::state_out, -1, 0, 0},
            {Phase::readout, Point::readout_norm},
            {Phase::readout, Point::logits}};
  }
  Var encode(Pass& pass, const Inputs& in) override {
    return pass.tap(Point::encoded, embed_(pass, in));
  }
  State init(Pass&, const Inputs&, Var e) override { return {{e}}; }
  State step(Pass& pass, const Inputs& in, const State& h, Var) override {
    const Layer& layer = layers_[static_cast<size_t>(pass.r - 1)];
    const Var there = layer.forward.over(pass, h[0], false, {});
    if (!layer.backward) {
      return {{there}};
    }
    const Var use = parts::positions_in_use(pass, in, 0, h[0].value().dtype);
    return {{ad::concat(pass.tape, there, layer.backward->over(pass, h[0], true, use))}};
  }
  Var readout(Pass& pass, const Inputs&, const State& h, Var) override { return head_(pass, h[0]); }

 private:
  struct Layer {
    parts::Gru forward;
    std::optional<parts::Gru> backward;
  };
  Schedule schedule_;
  parts::Embed embed_;
  std::vector<Layer> layers_;
  parts::Head head_;
};

}  // namespace

std::unique_ptr<Reasoner> make_gru(const ModelArgs& args) {
  return std::make_unique<StackedGru>(args);
}

}  // namespace sv
