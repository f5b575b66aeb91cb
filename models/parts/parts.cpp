#include "models/parts/parts.h"

#include <algorithm>
#include <cmath>

namespace sv::parts {

Init fan_in(int64_t in) {
  return Init::uniform(1.0 / std::sqrt(static_cast<double>(in)));
}
Init small_output(int64_t in) {
  return Init::normal(0.5 / std::sqrt(static_cast<double>(in)));
}
Init lecun(int64_t in) {
  return Init::truncated_normal(1.0 / std::sqrt(static_cast<double>(in)), 2, true);
}

Linear::Linear(Params& params,
               const std::string& name,
               int64_t in,
               int64_t out,
               const Init& weight,
               bool bias,
               const Init& bias_init)
    : weight_(params.add(name + ".weight", {out, in}, weight, true)),
      bias_(bias ? params.add(name + ".bias", {out}, bias_init) : -1) {}

Var Linear::operator()(Pass& pass, Var x) const {
  const Var bias = bias_ < 0 ? Var{} : pass.param(bias_);
  return ad::matmul(pass.tape, x, pass.param(weight_), bias, pass.panels(weight_));
}

namespace {
constexpr double kRmsEps = 1e-5;  // of the norm without gain
}

Norm::Norm(Params& params, const std::string& name, const std::string& kind, int64_t width) {
  if (kind == "rms") {
    if (params.allocates()) {
      ones_ = Buffer({params.models(), width}, params.dtype());
      with_float(params.dtype(), [&]<class T>() {
        std::fill_n(ones_.tensor().as<T>(), ones_.tensor().numel(), T{1});
      });
    }
    return;
  }
  gain_ = params.add(name + ".gain", {width}, Init::ones());
  bias_ = kind == "layernorm" ? params.add(name + ".bias", {width}, Init::zeros()) : -1;
}

Var Norm::operator()(Pass& pass, Var x) const {
  if (gain_ < 0) {
    return ad::rmsnorm(pass.tape, x, {}, kRmsEps);
  }
  if (bias_ < 0) {
    return ad::rmsnorm(pass.tape, x, pass.param(gain_));
  }
  return ad::layernorm(pass.tape, x, pass.param(gain_), pass.param(bias_));
}

fused::NormWeights Norm::weights(const Pass& pass) const {
  if (gain_ < 0) {
    return {pass.members.of(ones_), {}, false, kRmsEps};
  }
  const bool layer = bias_ >= 0;
  return {pass.value(gain_), pass.value(bias_), layer, layer ? ad::kLayerNormEps : ad::kRmsNormEps};
}

Inject::Inject(Params& params,
               const std::string& name,
               const std::string& kind,
               int64_t width,
               const std::vector<int>& without)
    : kind_(kind), all_(without.empty()) {
  if (kind == "concat" || kind == "gated") {
    map_ = Linear(params, name, 2 * width, width, fan_in(2 * width), kind == "gated");
  }
  const auto& seeds = params.seeds();
  for (const int seed : without) {
    SV_CHECK(std::find(seeds.begin(), seeds.end(), static_cast<uint64_t>(seed)) != seeds.end(),
             "model.without_injection names seed ",
             seed,
             ", which is not among the seeds");
  }
  for (const uint64_t seed : seeds) {
    injected_.push_back(std::find(without.begin(), without.end(), static_cast<int>(seed)) ==
                        without.end());
  }
}

Var Inject::operator()(Pass& pass, Var h, Var e) const {
  if (kind_ == "none") {
    return h;
  }
  if (all_ || pass.r == 1) {
    return pass.tap(Point::injected, combine(pass, h, e));
  }
  // Only some get the combination; the others keep h. Both routes carry their own gradient.
  Tape& tape = pass.tape;
  const std::span<const int> live = tape.ctx.models;
  const int models = tape.ctx.model_count(h.value());
  int* list = tape.host().alloc_n<int>(static_cast<size_t>(models));
  size_t count = 0;
  for (int i = 0; i < models; ++i) {
    const int m = tape.ctx.model(i);
    if (injected_[pass.place(m)]) {
      list[count++] = m;
    }
  }
  if (count == 0) {
    return pass.tap(Point::injected, h);
  }
  tape.ctx.models = {list, count};
  const Var combined = combine(pass, h, e);
  tape.ctx.models = live;
  return pass.tap(Point::injected, ad::choose(tape, combined, {list, count}, h));
}

Var Inject::combine(Pass& pass, Var h, Var e) const {
  if (kind_ == "add") {
    return ad::add(pass.tape, h, e);
  }
  const Var both = map_(pass, ad::concat(pass.tape, h, e));
  if (kind_ == "concat") {
    return both;
  }
  const Var gate = ad::activate(pass.tape, ops::Activation::sigmoid, both);
  // g h + (1 - g) e = e + g (h - e)
  const Var moved = ad::mul(pass.tape, gate, ad::mix(pass.tape, h, 1, e, -1));
  return ad::add(pass.tape, e, moved);
}

Head::Head(Params& params, const std::string& norm, int64_t width, int64_t answers)
    : answers_(answers),
      norm_(params, "readout.norm", norm, width),
      map_(params, "readout.head", width, answers, fan_in(width)) {}

Var Head::operator()(Pass& pass, Var x) const {
  return (*this)(pass, x, x.shape().with(-1, answers_));
}

Var Head::operator()(Pass& pass, Var x, const Shape& logits) const {
  const Var y = map_(pass, pass.tap(Point::readout_norm, norm_(pass, x)));
  return pass.tap(Point::logits, y.shape() == logits ? y : ad::reshape(pass.tape, y, logits));
}

HaltHead::HaltHead(Params& params, int64_t width, double bias)
    : map_(params, "halt", width, 1, Init::zeros(), true, Init::constant(bias)) {}

Var HaltHead::operator()(Pass& pass, Var h) const {
  const Var q = map_(pass, ad::mean_positions(pass.tape, h));  // (M,B,1)
  return ad::reshape(pass.tape, q, {q.shape()[0], q.shape()[1]});
}

Var HaltHead::positions(Pass& pass, Var h) const {
  const Var q = map_(pass, h);  // (M,B,T,1)
  return ad::reshape(pass.tape, q, {q.shape()[0], q.shape()[1], q.shape()[2]});
}

}  // namespace sv::parts
