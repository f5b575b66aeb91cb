// recurrent_depth: a causal language model that loops its middle layers (Huginn, arXiv 2502.05171):
//
//   e = prelude(sqrt(D) E x)          h_0 ~ normal(0, 2/5) cut at 3 standard deviations
//   h_r = core(A [h_(r-1); e])        y = W N(coda(N h)), the same norm N before and after the coda
//
// with sandwich blocks x <- N2(x + f(N1 x)), biases of queries and keys, interleaved rope of base
// 50,000 and W = E. Training draws the depth from a log-normal Poisson law (depth.train=poisson:32)
// and differentiates the last 8 updates (train.gradient=last:8); the loss is that of the last one.
//
// Parcae (arXiv 2604.12946), the stabilised form, is a set of options: model.injection=decay
// (h <- core(exp(-Delta A) h + Delta (B e)), the spectral radius of the carry below 1 by
// construction), model.input_norm=true (e normalised), model.readout_map=true (a matrix C before
// the coda), model.placement=pre model.qk_bias=false model.qk_norm=true model.mlp=relu_squared
// train.gradient=last:4.
//
// What differs from the authors' codes: arithmetic is f32, not bf16; a depth is drawn for every
// model and step, not one for all workers, and cut at four times its mean; for Parcae it is drawn
// for a model rather than a row, from the same law, its input norm has a gain, and value embeddings
// are left out. Noise is keyed by (seed, step, row, position). The published start divides the
// standard deviation sqrt(2/(5D)) of output matrices by the root of twice all blocks on the way; so
// does this one, with start_depth for the mean depth.
#include <cmath>

#include "models/parts/parts.h"
#include "models/zoo.h"

namespace sv {

namespace {

constexpr double kCut = 3;  // standard deviations, of all draws

/// Standard deviation of all matrices.
double start_std(const ModelSettings& s) {
  return std::sqrt(2.0 / (5.0 * s.width));
}

parts::BlockShape huginn_shape(const ModelSettings& s, const TaskSpec& task) {
  parts::BlockShape shape = parts::block_shape(s, task);
  const double wide = start_std(s);
  const double depth = s.prelude + s.coda + static_cast<double>(s.layers) * s.start_depth;
  shape.matrix = [=](int64_t) { return Init::truncated_normal(wide, kCut); };
  shape.output = [=](int64_t) { return Init::truncated_normal(wide / std::sqrt(2 * depth), kCut); };
  return shape;
}

class RecurrentDepth : public Reasoner {
 public:
  RecurrentDepth(const ModelArgs& a, const parts::BlockShape& shape)
      : Reasoner(a.seeds, a.dtype, a.device, a.allocate),
        settings_(a.model),
        causal_(shape.causal),
        embed_(params_, a.task, a.model, shape.matrix(a.model.width)),
        prelude_(parts::blocks(params_, "prelude", a.model.prelude, shape)),
        inject_(params_,
                "inject",
                a.model.injection,
                a.model.width,
                a.model.without_injection,
                shape.matrix),
        core_(parts::blocks(params_, "core", a.model.layers, shape)),
        coda_(parts::blocks(params_, "coda", a.model.coda, shape)),
        norm_(params_, "readout.norm", a.model.norm, a.model.width),
        head_(params_, a.task, a.model, embed_, shape.matrix(a.model.width)),
        sites_(parts::block_sites(a.model)) {
    sites_.push_back({Phase::readout, Point::readout_norm});
    if (a.model.input_norm) {
      input_norm_.emplace(params_, "input_norm", a.model.norm, a.model.width);
    }
    if (a.model.readout_map) {
      map_.emplace(
          params_, "readout.map", a.model.width, a.model.width, shape.matrix(a.model.width));
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
    return pass.tap(Point::encoded, input_norm_ ? (*input_norm_)(pass, e) : e);
  }
  State init(Pass& pass, const Inputs& in, Var e) override {
    const DType dtype = e.value().dtype;
    if (settings_.init == "zero" || settings_.init_scale == 0) {
      return {{parts::zeros(pass, e.shape(), dtype)}};
    }
    const Shape inner = {e.shape()[2], e.shape()[3]};
    const Var x = parts::noise(pass, in, "state_init.h", inner, dtype, kCut);
    return {{ad::scale(pass.tape, x, settings_.init_scale * std::sqrt(0.4))}};
  }
  State step(Pass& pass, const Inputs& in, const State& h, Var e) override {
    Var x = inject_(pass, h[0], e);
    for (const parts::Block& block : core_) {
      x = block(pass, in, x);
    }
    return {{x}};
  }
  Var readout(Pass& pass, const Inputs& in, const State& h, Var) override {
    Var x = map_ ? (*map_)(pass, h[0]) : norm_(pass, h[0]);
    for (const parts::Block& block : coda_) {
      x = block(pass, in, x);
    }
    return head_(pass, pass.tap(Point::readout_norm, norm_(pass, x)));
  }

 private:
  ModelSettings settings_;
  bool causal_;
  Schedule schedule_;
  parts::Embed embed_;
  std::vector<parts::Block> prelude_;
  parts::Inject inject_;
  std::vector<parts::Block> core_, coda_;
  parts::Norm norm_;
  parts::TokenHead head_;
  std::optional<parts::Norm> input_norm_;
  std::optional<parts::Linear> map_;
  std::vector<Site> sites_;
};

}  // namespace

std::unique_ptr<Reasoner> make_recurrent_depth(const ModelArgs& args) {
  const ModelSettings& s = args.model;
  SV_CHECK(s.injection != "none",
           "model.injection=none: the state of recurrent_depth does not begin at the input, which "
           "would never enter; concat is its published form");
  SV_CHECK(s.init == "random" || s.init == "zero",
           "model.init=",
           s.init,
           ": the state of recurrent_depth begins at random or zero");
  return std::make_unique<RecurrentDepth>(args, huginn_shape(s, args.task));
}

}  // namespace sv
