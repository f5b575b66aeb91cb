// The transformer block: what its settings mean, its parameters, and its two ways of computing.
#include <algorithm>
#include <cmath>

#include "models/parts/parts.h"

namespace sv::parts {

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

}  // namespace sv::parts
