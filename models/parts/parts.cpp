#include "models/parts/parts.h"

#include <algorithm>
#include <cmath>

#include "core/rng.h"
#include "kernels/memory/copy.h"

namespace sv::parts {

namespace {

/// Uniform +-1/sqrt(fan_in).
Init fan_in(int64_t in) {
  return Init::uniform(1.0 / std::sqrt(static_cast<double>(in)));
}
/// Output matrices of a block start small so that the residual stream dominates: N(0,
/// (0.5/sqrt(fan_in))^2).
Init small_output(int64_t in) {
  return Init::normal(0.5 / std::sqrt(static_cast<double>(in)));
}
constexpr double kEmbeddingStd = 0.7;

}  // namespace

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

Norm::Norm(Params& params, const std::string& name, const std::string& kind, int64_t width)
    : gain_(params.add(name + ".gain", {width}, Init::ones())),
      bias_(kind == "layernorm" ? params.add(name + ".bias", {width}, Init::zeros()) : -1) {}

Var Norm::operator()(Pass& pass, Var x) const {
  if (bias_ < 0) {
    return ad::rmsnorm(pass.tape, x, pass.param(gain_));
  }
  return ad::layernorm(pass.tape, x, pass.param(gain_), pass.param(bias_));
}

fused::NormWeights Norm::weights(const Pass& pass) const {
  const bool layer = bias_ >= 0;
  return {pass.value(gain_), pass.value(bias_), layer, layer ? ad::kLayerNormEps : ad::kRmsNormEps};
}

BlockShape block_shape(const ModelSettings& s, const TaskSpec& task) {
  BlockShape b{s.width,
               s.heads,
               s.kv_heads > 0 ? s.kv_heads : s.heads,
               s.hidden,
               s.mlp,
               s.norm,
               s.placement};
  if (b.hidden == 0) {
    b.hidden = s.mlp == "swiglu" ? s.width * 5 / 2 : 4 * s.width;
  }
  SV_CHECK(s.width % s.heads == 0,
           "model.heads = ",
           s.heads,
           " does not divide model.width = ",
           s.width);
  SV_CHECK(s.heads % b.kv_heads == 0,
           "model.kv_heads = ",
           b.kv_heads,
           " does not divide model.heads = ",
           s.heads);
  b.rope = s.positions == "rope";
  SV_CHECK(!b.rope || (s.width / s.heads) % 2 == 0,
           "rope needs an even head width, got ",
           s.width / s.heads);
  b.rope_base = s.rope_base;
  b.causal = s.mask == "causal" || (s.mask == "task" && task.causal);
  return b;
}

Block::Block(Params& params, const std::string& name, const BlockShape& shape, int block)
    : shape_(shape), block_(block) {
  const int64_t d = shape.width;
  const int64_t kv = d / shape.heads * shape.kv_heads;
  q_ = Linear(params, name + ".attn.q", d, d, fan_in(d));
  k_ = Linear(params, name + ".attn.k", d, kv, fan_in(d));
  v_ = Linear(params, name + ".attn.v", d, kv, fan_in(d));
  attn_out_ = Linear(params, name + ".attn.out", d, d, small_output(d));
  const bool gated = shape.mlp == "swiglu";
  up_ = Linear(
      params, name + ".mlp.up", d, gated ? 2 * shape.hidden : shape.hidden, fan_in(d), !gated);
  down_ = Linear(params, name + ".mlp.down", shape.hidden, d, small_output(shape.hidden), !gated);
  if (shape.placement != "post") {
    norm_attn_in_.emplace(params, name + ".norm.attn_in", shape.norm, d);
    norm_mlp_in_.emplace(params, name + ".norm.mlp_in", shape.norm, d);
  }
  if (shape.placement != "pre") {
    norm_attn_out_.emplace(params, name + ".norm.attn_out", shape.norm, d);
    norm_mlp_out_.emplace(params, name + ".norm.mlp_out", shape.norm, d);
  }
}

void Block::add_sites(std::vector<Site>& sites, Phase phase, int block) {
  for (const Point p : {Point::resid_in,
                        Point::q,
                        Point::k,
                        Point::v,
                        Point::attn_pattern,
                        Point::attn_out,
                        Point::mlp_hidden,
                        Point::mlp_out,
                        Point::resid_out}) {
    sites.push_back({phase, p, block, 0, -1});
  }
}

ops::AttentionMask Block::mask(const Inputs& in) const {
  ops::AttentionMask mask;
  mask.kind = in.prefix       ? ops::AttentionMask::Kind::prefix
              : shape_.causal ? ops::AttentionMask::Kind::causal
                              : ops::AttentionMask::Kind::bidirectional;
  mask.lengths = in.lengths;
  mask.prefix = in.prefix;
  return mask;
}

Var Block::attention(Pass& pass, const Inputs& in, Var x) const {
  Var q = q_(pass, x);
  Var k = k_(pass, x);
  if (shape_.rope) {
    q = ad::rope(pass.tape, q, shape_.heads, shape_.rope_base);
    k = ad::rope(pass.tape, k, shape_.kv_heads, shape_.rope_base);
  }
  q = pass.tap(Point::q, q, block_);
  k = pass.tap(Point::k, k, block_);
  const Var v = pass.tap(Point::v, v_(pass, x), block_);
  const int head_width = shape_.width / shape_.heads;
  const double scale = 1.0 / std::sqrt(static_cast<double>(head_width));
  Var p = ad::attention_pattern(pass.tape, q, k, mask(in), shape_.heads, shape_.kv_heads, scale);
  p = pass.tap(Point::attn_pattern, p, block_);
  const Var mixed = ad::attention_mix(pass.tape, p, v, shape_.heads, shape_.kv_heads);
  return pass.tap(Point::attn_out, attn_out_(pass, mixed), block_);
}

Var Block::mlp(Pass& pass, Var x) const {
  const Var up = up_(pass, x);
  Var hidden = shape_.mlp == "swiglu" ? ad::silu_gate(pass.tape, up)
                                      : ad::activate(pass.tape, ops::Activation::gelu, up);
  hidden = pass.tap(Point::mlp_hidden, hidden, block_);
  return pass.tap(Point::mlp_out, down_(pass, hidden), block_);
}

Var Block::plain(Pass& pass, const Inputs& in, Var x) const {
  const auto maybe = [&](const std::optional<Norm>& norm, Var y) {
    return norm ? (*norm)(pass, y) : y;
  };
  x = maybe(norm_attn_out_, ad::add(pass.tape, x, attention(pass, in, maybe(norm_attn_in_, x))));
  return maybe(norm_mlp_out_, ad::add(pass.tape, x, mlp(pass, maybe(norm_mlp_in_, x))));
}

Var Block::fused(Pass& pass, const Inputs& in, Var x) const {
  const auto maybe = [&](const std::optional<Norm>& norm) {
    return norm ? norm->weights(pass) : fused::NormWeights{};
  };
  const fused::BlockWeights weights = {maybe(norm_attn_in_),
                                       maybe(norm_attn_out_),
                                       maybe(norm_mlp_in_),
                                       maybe(norm_mlp_out_),
                                       q_.panels(pass),
                                       k_.panels(pass),
                                       v_.panels(pass),
                                       attn_out_.panels(pass),
                                       up_.panels(pass),
                                       down_.panels(pass),
                                       up_.bias(pass),
                                       down_.bias(pass)};
  const fused::BlockSizes sizes = {shape_.heads,
                                   shape_.kv_heads,
                                   shape_.hidden,
                                   shape_.mlp == "swiglu",
                                   shape_.rope,
                                   shape_.rope_base};
  const Var y = pass.tape.output(x.shape(), x.value().dtype, false);
  fused::block(pass.tape.ctx, sizes, weights, mask(in), x.value(), y.value());
  return y;
}

Var Block::operator()(Pass& pass, const Inputs& in, Var x) const {
  x = pass.tap(Point::resid_in, x, block_);
  const bool whole = pass.fusable(block_);
  if (pass.paths != nullptr) {
    (whole ? pass.paths->fused : pass.paths->plain) += pass.tape.ctx.model_count(x.value());
  }
  return pass.tap(Point::resid_out, whole ? fused(pass, in, x) : plain(pass, in, x), block_);
}

Embed::Embed(Params& params, const TaskSpec& task, const ModelSettings& s)
    : tokens_(params.add("embed.tokens", {task.vocab, s.width}, Init::normal(kEmbeddingStd))) {
  std::vector<Channel> channels;
  const bool learned =
      s.positions == "learned" || (s.positions == "task" && task.coordinates.empty());
  if (learned) {
    Channel c{"positions", task.positions, {}};
    for (int32_t t = 0; t < task.positions; ++t) {
      c.ids.push_back(t);
    }
    channels.push_back(c);
  } else if (s.positions == "task") {
    channels = task.coordinates;
  }
  for (const Channel& c : channels) {
    SV_CHECK(static_cast<int>(c.ids.size()) == task.positions,
             "channel ",
             c.name,
             " has ",
             c.ids.size(),
             " ids for ",
             task.positions,
             " positions");
    Buffer ids({1, 1, task.positions}, DType::i32);
    std::copy(c.ids.begin(), c.ids.end(), ids.tensor().as<int32_t>());
    coordinates_.push_back(
        {params.add("embed." + c.name, {c.size, s.width}, Init::normal(kEmbeddingStd)),
         placed(std::move(ids), params.device())});
  }
}

Var Embed::operator()(Pass& pass, const Inputs& in) const {
  Var x = ad::embed(pass.tape, in.tokens, pass.param(tokens_), in.batch());
  for (const Coordinate& c : coordinates_) {
    x = ad::add(pass.tape, x, ad::embed(pass.tape, c.ids, pass.param(c.table), in.batch()));
  }
  return x;
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
    : norm_(params, "readout.norm", norm, width),
      map_(params, "readout.head", width, answers, fan_in(width)) {}

Var Head::operator()(Pass& pass, Var x) const {
  const Var y = pass.tap(Point::readout_norm, norm_(pass, x));
  return pass.tap(Point::logits, map_(pass, y));
}

HaltHead::HaltHead(Params& params, int64_t width)
    : map_(params, "halt", width, 1, Init::zeros(), true, Init::constant(-3)) {}

Var HaltHead::operator()(Pass& pass, Var h) const {
  const Var q = map_(pass, ad::mean_positions(pass.tape, h));  // (M,B,1)
  return ad::reshape(pass.tape, q, {q.shape()[0], q.shape()[1]});
}

Var initial_state(Pass& pass, const std::string& kind, Var e) {
  if (kind == "input") {
    return e;
  }
  const Context& ctx = pass.tape.ctx;
  if (kind != "normal") {
    const Tensor h = make_tensor(*ctx.arena, e.shape(), e.value().dtype);
    zero_tensor(ctx, h);
    return pass.tape.constant(h);
  }
  const Tensor h = host_tensor(ctx, e.shape(), e.value().dtype);
  const int64_t row = h.numel() / (h.dim(0) * h.dim(1));
  with_float(h.dtype, [&]<class T>() {
    for (int64_t m = 0; m < h.dim(0); ++m) {
      const Rng rng(pass.params.seeds()[pass.place(m)], stream_of("state_init"));
      T* first = h.slice(m, 1).as<T>();
      for (int64_t i = 0; i < row; ++i) {
        first[i] = static_cast<T>(rng.normal(static_cast<uint64_t>(i)));
      }
      for (int64_t b = 1; b < h.dim(1); ++b) {
        std::copy_n(first, row, first + b * row);
      }
    }
  });
  return pass.tape.constant(to_device(ctx, h));
}

namespace {

/// Draw i of a normal truncated at +-cut: the first of a chain of draws that lies inside.
double truncated(const Rng& rng, uint64_t i, double cut) {
  constexpr uint64_t kChain = uint64_t{1} << 40;
  for (uint64_t attempt = 0;; ++attempt) {
    const double x = rng.normal(i + attempt * kChain);
    if (std::abs(x) <= cut) {
      return x;
    }
  }
}

}  // namespace

Var noise(Pass& pass,
          const Inputs& in,
          std::string_view stream,
          const Shape& inner,
          DType dtype,
          double cut) {
  SV_CHECK(in.ids, "this model draws noise for every row, and the rows carry no ids");
  const Context& ctx = pass.tape.ctx;
  const int64_t models = pass.members.count > 0 ? pass.members.count : pass.params.models();
  const int64_t batch = in.batch(), size = inner.numel();
  std::vector<int64_t> dims = {models, batch};
  for (int i = 0; i < inner.rank(); ++i) {
    dims.push_back(inner[i]);
  }
  const Tensor x = host_tensor(ctx, Shape(dims), dtype);
  const uint64_t when = (pass.step << 32) + static_cast<uint64_t>(pass.r);
  with_float(dtype, [&]<class T>() {
    for (int64_t m = 0; m < models; ++m) {
      const Rng rng(pass.params.seeds()[pass.place(m)], stream_of(stream), when);
      const int32_t* ids = in.ids.as<int32_t>() + (in.ids.dim(0) == 1 ? 0 : m * batch);
      for (int64_t b = 0; b < batch; ++b) {
        T* to = x.as<T>() + (m * batch + b) * size;
        const auto first = static_cast<uint64_t>(ids[b]) * static_cast<uint64_t>(size);
        for (int64_t i = 0; i < size; ++i) {
          const uint64_t at = first + static_cast<uint64_t>(i);
          to[i] = static_cast<T>(cut > 0 ? truncated(rng, at, cut) : rng.normal(at));
        }
      }
    }
  });
  return pass.tape.constant(to_device(ctx, x));
}

}  // namespace sv::parts
