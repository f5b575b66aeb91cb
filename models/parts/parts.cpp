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
               const std::vector<int>& without,
               const std::function<Init(int64_t in)>& matrix)
    : kind_(kind), all_(without.empty()) {
  if (kind == "concat" || kind == "gated") {
    map_ = Linear(params, name, 2 * width, width, matrix(2 * width), kind == "gated");
  } else if (kind == "decay") {
    map_ = Linear(params, name, width, width, Init::identity());
    // exp(-softplus(b)) = sqrt(1/5), Parcae's start, with a rate of one.
    log_rate_ = params.add(name + ".log_rate", {width}, Init::zeros());
    step_bias_ = params.add(
        name + ".step_bias", {width}, Init::constant(std::log(std::expm1(0.5 * std::log(5.0)))));
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

/// exp(-Delta exp(A)) h + Delta (B e), Delta = softplus(b).
Var Inject::decayed(Pass& pass, Var h, Var e) const {
  Tape& t = pass.tape;
  const Var rate = ad::activate(t, ops::Activation::exp, pass.param(log_rate_));
  const Var delta = ad::activate(t, ops::Activation::softplus, pass.param(step_bias_));
  const Var keep = ad::activate(t, ops::Activation::exp, ad::scale(t, ad::mul(t, delta, rate), -1));
  const Var enters = ad::mul_columns(t, map_(pass, e), delta);
  return ad::add(t, ad::mul_columns(t, h, keep), enters);
}

Var Inject::combine(Pass& pass, Var h, Var e) const {
  if (kind_ == "add") {
    return ad::add(pass.tape, h, e);
  }
  if (kind_ == "decay") {
    return decayed(pass, h, e);
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

TokenHead::TokenHead(Params& params,
                     const TaskSpec& task,
                     const ModelSettings& s,
                     const Embed& embed,
                     const Init& matrix)
    : answers_(task.answers), symbols_(s.symbols) {
  if (symbols_ == 0) {
    symbols_ = s.tied_head ? task.vocab : task.answers;
  }
  SV_CHECK(symbols_ >= answers_,
           s.tied_head ? "model.tied_head: the embedding has " : "model.symbols: the readout has ",
           symbols_,
           " rows and the task ",
           answers_,
           " answers; set model.symbols");
  matrix_ = s.tied_head ? embed.table()
                        : params.add("readout.head.weight", {symbols_, s.width}, matrix, true);
}

Var TokenHead::operator()(Pass& pass, Var x) const {
  Var y = ad::matmul(pass.tape, x, pass.param(matrix_), {}, pass.panels(matrix_));
  if (symbols_ > answers_) {
    y = ad::slice_columns(pass.tape, y, 0, answers_);
  }
  return pass.tap(Point::logits, y);
}

std::vector<Block> blocks(Params& params,
                          const std::string& name,
                          int count,
                          const BlockShape& shape) {
  std::vector<Block> out;
  for (int l = 0; l < count; ++l) {
    out.emplace_back(params, name + "." + std::to_string(l), shape, l);
  }
  return out;
}

std::vector<Site> block_sites(const ModelSettings& s) {
  std::vector<Site> out = {{Phase::encode, Point::encoded},
                           {Phase::loop, Point::state_in, -1, 0, 0},
                           {Phase::loop, Point::state_out, -1, 0, 0},
                           {Phase::readout, Point::logits}};
  if (s.injection != "none") {
    out.push_back({Phase::loop, Point::injected});
  }
  const auto add = [&](Phase phase, int count) {
    for (int l = 0; l < count; ++l) {
      Block::add_sites(out, phase, l);
    }
  };
  add(Phase::encode, s.prelude);
  add(Phase::loop, s.layers);
  add(Phase::readout, s.coda);
  return out;
}

HaltHead::HaltHead(Params& params, int64_t width, double bias)
    : map_(params, "halt", width, 1, Init::zeros(), true, Init::constant(bias)) {
  for (const char* name : {"halt.weight", "halt.bias"}) {
    params[params.find(name)].halting = true;
  }
}

Var HaltHead::operator()(Pass& pass, Var h) const {
  const Var q = map_(pass, ad::mean_positions(pass.tape, h));  // (M,B,1)
  return ad::reshape(pass.tape, q, {q.shape()[0], q.shape()[1]});
}

Var HaltHead::positions(Pass& pass, Var h) const {
  const Var q = map_(pass, h);  // (M,B,T,1)
  return ad::reshape(pass.tape, q, {q.shape()[0], q.shape()[1], q.shape()[2]});
}

}  // namespace sv::parts
