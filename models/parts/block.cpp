// The transformer block: what its settings mean, its parameters, and its two ways of computing.
#include <algorithm>
#include <cmath>

#include "kernels/autograd/layout_ops.h"
#include "kernels/memory/copy.h"
#include "kernels/memory/device.h"
#include "kernels/ops/attention_fused/attention_fused.h"
#include "kernels/ops/mlp/mlp.h"
#include "models/kv_cache.h"
#include "models/parts/parts.h"

namespace sv::parts {

namespace {
/// Above it the weights that a block of threads holds leave room for few rows, and separate
/// products read them less often.
constexpr int kFusedMlpWidth = 128;
}  // namespace

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
  b.rope_pairs =
      s.rope_pairs == "interleaved" ? ops::RopeLayout::interleaved : ops::RopeLayout::half_split;
  b.qk_bias = s.qk_bias;
  b.qk_norm = s.qk_norm;
  b.causal = s.mask == "causal" || (s.mask == "task" && task.causal);
  // A position that names a puzzle is the first of the prefix.
  b.prefix = s.prefix - (s.puzzles > 0 && task.puzzles > 0 ? 1 : 0);
  b.positions = b.prefix + task.positions;
  if (s.mixer == "tokens") {
    b.token_hidden = s.token_hidden > 0 ? s.token_hidden : b.positions * 5 / 2;
  }
  b.token_norm = s.token_norm;
  b.conv = s.conv;
  return b;
}

Block::Block(Params& params, const std::string& name, const BlockShape& shape, int block)
    : shape_(shape), block_(block) {
  if (shape.token_hidden > 0) {
    SV_CHECK(
        shape.mlp == "swiglu" && !shape.rope && !shape.causal,
        "model.mixer=tokens goes with model.mlp=swiglu, without model.positions=rope or a causal "
        "mask (model.mask=bidirectional where the task suggests one)");
    SV_CHECK(!shape.token_norm || (shape.norm == "rms" && shape.placement == "post"),
             "a norm over the positions goes with model.norm=rms and model.placement=post");
    const int64_t s = shape.positions;
    token_up_ = Linear(params, name + ".tokens.up", s, 2 * shape.token_hidden, shape.matrix(s));
    token_down_ = Linear(
        params, name + ".tokens.down", shape.token_hidden, s, shape.output(shape.token_hidden));
  } else {
    add_attention(params, name);
  }
  add_mlp(params, name);
  add_norms(params, name);
}

void Block::add_attention(Params& params, const std::string& name) {
  const int64_t d = shape_.width;
  const int64_t kv = d / shape_.heads * shape_.kv_heads;
  q_ = Linear(params, name + ".attn.q", d, d, shape_.matrix(d), shape_.qk_bias);
  k_ = Linear(params, name + ".attn.k", d, kv, shape_.matrix(d), shape_.qk_bias);
  v_ = Linear(params, name + ".attn.v", d, kv, shape_.matrix(d));
  attn_out_ = Linear(params, name + ".attn.out", d, d, shape_.output(d));
}

void Block::add_mlp(Params& params, const std::string& name) {
  const int64_t d = shape_.width, hidden = shape_.hidden;
  const bool gated = shape_.mlp == "swiglu";
  const bool biased = shape_.mlp == "gelu";
  up_ = Linear(params, name + ".mlp.up", d, gated ? 2 * hidden : hidden, shape_.matrix(d), biased);
  SV_CHECK(shape_.conv == 0 || gated, "model.conv needs model.mlp=swiglu");
  // Bias and weights of a convolution start as one of `conv` inputs.
  for (int k = 0; k < shape_.conv; ++k) {
    conv_.push_back(
        params.add(name + ".mlp.conv.weight." + std::to_string(k), {hidden}, fan_in(shape_.conv)));
  }
  conv_bias_ =
      conv_.empty() ? -1 : params.add(name + ".mlp.conv.bias", {hidden}, fan_in(shape_.conv));
  down_ = Linear(params, name + ".mlp.down", hidden, d, shape_.output(hidden), biased);
}

void Block::add_norms(Params& params, const std::string& name) {
  const int64_t d = shape_.width;
  if (shape_.placement != "post") {
    norm_attn_in_.emplace(params, name + ".norm.attn_in", shape_.norm, d);
    norm_mlp_in_.emplace(params, name + ".norm.mlp_in", shape_.norm, d);
  }
  if (shape_.placement != "pre") {
    norm_attn_out_.emplace(params, name + ".norm.attn_out", shape_.norm, d);
    norm_mlp_out_.emplace(params, name + ".norm.mlp_out", shape_.norm, d);
  }
}

void Block::add_sites(std::vector<Site>& sites, Phase phase, int block, bool attention) {
  const auto add = [&](std::initializer_list<Point> points) {
    for (const Point p : points) {
      sites.push_back({phase, p, block, 0, -1});
    }
  };
  add({Point::resid_in});
  if (attention) {
    add({Point::q, Point::k, Point::v, Point::attn_pattern});
  }
  add({Point::attn_out, Point::mlp_hidden, Point::mlp_out, Point::resid_out});
}

/// Lengths of a batch count tokens; the keys in use are the prefix and they.
ops::AttentionMask Block::mask(Pass& pass, const Inputs& in) const {
  ops::AttentionMask mask;
  mask.offset = pass.cache == nullptr ? 0 : pass.cache->begin();
  mask.kind = in.prefix       ? ops::AttentionMask::Kind::prefix
              : shape_.causal ? ops::AttentionMask::Kind::causal
                              : ops::AttentionMask::Kind::bidirectional;
  mask.lengths = in.lengths;
  mask.prefix = in.prefix;
  if (shape_.prefix > 0 && in.lengths) {
    const Tensor tokens = to_host(pass.tape.ctx, in.lengths);
    const Tensor keys = host_tensor(pass.tape.ctx, tokens.shape, DType::i32);
    std::transform(tokens.as<int32_t>(),
                   tokens.as<int32_t>() + tokens.numel(),
                   keys.as<int32_t>(),
                   [&](int32_t n) { return n + shape_.prefix; });
    mask.lengths = to_device(pass.tape.ctx, keys);
  }
  return mask;
}

Var Block::attention(Pass& pass, const Inputs& in, Var x) const {
  const Var q = pass.tap(Point::q, turned(pass, q_(pass, x), shape_.heads), block_);
  Var k = pass.tap(Point::k, turned(pass, k_(pass, x), shape_.kv_heads), block_);
  Var v = pass.tap(Point::v, v_(pass, x), block_);
  if (pass.cache != nullptr) {
    SV_CHECK(shape_.causal && !in.lengths && !in.prefix && shape_.prefix == 0,
             "keys and values of earlier positions serve causal masks alone");
    const auto [keys, values] =
        pass.cache->exchange(pass.tape.ctx, pass.phase, block_, pass.r, k.value(), v.value());
    k = pass.tape.constant(keys);
    v = pass.tape.constant(values);
  }
  return attend(pass, in, q, k, v);
}

/// Normalised and turned to its position: queries, or keys.
Var Block::turned(Pass& pass, Var x, int heads) const {
  if (shape_.qk_norm) {
    const Shape& s = x.shape();
    const Var by_head = ad::reshape(pass.tape, x, {s[0], s[1], s[2], heads, s[3] / heads});
    x = ad::reshape(pass.tape, ad::rmsnorm(pass.tape, by_head, {}), s);
  }
  if (!shape_.rope) {
    return x;
  }
  const auto offset = static_cast<int>(pass.cache == nullptr ? 0 : pass.cache->begin());
  return ad::rope(pass.tape, x, heads, shape_.rope_base, offset, shape_.rope_pairs);
}

Var Block::attend(Pass& pass, const Inputs& in, Var q, Var k, Var v) const {
  const int head_width = shape_.width / shape_.heads;
  const double scale = 1.0 / std::sqrt(static_cast<double>(head_width));
  const ops::AttentionMask masked = mask(pass, in);
  const int heads = shape_.heads, kv_heads = shape_.kv_heads;
  Var mixed;
  if (pass.skippable(Point::attn_pattern, block_) && head_width <= ops::kMostFusedHead) {
    mixed = ad::attention_fused(pass.tape, q, k, v, masked, heads, kv_heads, scale);
    pass.count(&BlockPaths::patternless, mixed);
  } else {
    const Var p = ad::attention_pattern(pass.tape, q, k, masked, heads, kv_heads, scale);
    mixed =
        ad::attention_mix(pass.tape, pass.tap(Point::attn_pattern, p, block_), v, heads, kv_heads);
  }
  return pass.tap(Point::attn_out, attn_out_(pass, mixed), block_);
}

/// x + the MLP over positions, normed, on rows of positions. The tap sees rows of channels.
Var Block::token_mixer(Pass& pass, Var x) const {
  Tape& t = pass.tape;
  const Var rows = ad::transpose(t, norm_attn_in_ ? (*norm_attn_in_)(pass, x) : x);  // (M,B,D,S)
  Var out = token_down_(pass, ad::silu_gate(t, token_up_(pass, rows)));
  if (!shape_.token_norm) {
    out = pass.tap(Point::attn_out, ad::transpose(t, out), block_);
    return add_branch(pass, norm_attn_out_, x, out);
  }
  if (pass.taps != nullptr) {
    out = ad::transpose(t, pass.tap(Point::attn_out, ad::transpose(t, out), block_));
  }
  return ad::transpose(t, (*norm_attn_out_)(pass, ad::add(t, rows, out)));
}

/// silu(b + sum_k w_k x_(t + k - K/2)) per channel.
Var Block::convolved(Pass& pass, Var x) const {
  Var sum;
  for (int k = 0; k < shape_.conv; ++k) {
    const int by = shape_.conv / 2 - k;
    const Var moved = by == 0 ? x : ad::shift(pass.tape, x, by);
    const Var term = ad::mul_columns(pass.tape, moved, pass.param(conv_[static_cast<size_t>(k)]));
    sum = sum ? ad::add(pass.tape, sum, term) : term;
  }
  sum = ad::add_columns(pass.tape, sum, pass.param(conv_bias_));
  return ad::activate(pass.tape, ops::Activation::silu, sum);
}

/// up, gate and down in one call: nobody looks in between, and nothing in between has a gradient.
bool Block::mlp_in_one(const Pass& pass) const {
  return pass.skippable(Point::mlp_hidden, block_) && !pass.tape.recording() &&
         pass.tape.ctx.precision == Precision::f32 && shape_.width <= kFusedMlpWidth &&
         shape_.conv == 0;
}

Var Block::mlp(Pass& pass, Var x) const {
  if (mlp_in_one(pass)) {
    const Var y = pass.tape.output(x.shape(), x.value().dtype, false);
    const ops::MlpWeights w = {up_.weight(pass),
                               up_.bias(pass),
                               down_.weight(pass),
                               down_.bias(pass),
                               shape_.mlp == "swiglu"};
    ops::mlp(pass.tape.ctx, x.value(), w, y.value());
    pass.count(&BlockPaths::fused_mlp, x);
    return pass.tap(Point::mlp_out, y, block_);
  }
  const Var up = up_(pass, x);
  const auto kind = shape_.mlp == "gelu" ? ops::Activation::gelu : ops::Activation::relu_squared;
  Var hidden =
      shape_.mlp == "swiglu" ? ad::silu_gate(pass.tape, up) : ad::activate(pass.tape, kind, up);
  if (shape_.conv > 0) {
    hidden = convolved(pass, hidden);
  }
  hidden = pass.tap(Point::mlp_hidden, hidden, block_);
  return pass.tap(Point::mlp_out, down_(pass, hidden), block_);
}

/// x + f with the norm where the placement puts it.
Var Block::add_branch(Pass& pass, const std::optional<Norm>& norm, Var x, Var f) const {
  if (norm && shape_.placement == "branch") {
    return ad::add(pass.tape, x, (*norm)(pass, f));
  }
  const Var sum = ad::add(pass.tape, x, f);
  return norm ? (*norm)(pass, sum) : sum;
}

Var Block::plain(Pass& pass, const Inputs& in, Var x) const {
  const auto maybe = [&](const std::optional<Norm>& norm, Var y) {
    return norm ? (*norm)(pass, y) : y;
  };
  if (shape_.token_hidden > 0) {
    x = token_mixer(pass, x);
  } else {
    const Var mixed = attention(pass, in, maybe(norm_attn_in_, x));
    x = add_branch(pass, norm_attn_out_, x, mixed);
  }
  return add_branch(pass, norm_mlp_out_, x, mlp(pass, maybe(norm_mlp_in_, x)));
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
  fused::block(pass.tape.ctx, sizes, weights, mask(pass, in), x.value(), y.value());
  return y;
}

bool Block::fusable() const {
  const BlockShape& s = shape_;
  return s.token_hidden == 0 && s.conv == 0 && !s.qk_bias && !s.qk_norm &&
         s.mlp != "relu_squared" && s.placement != "branch" &&
         s.rope_pairs == ops::RopeLayout::half_split;
}

Var Block::operator()(Pass& pass, const Inputs& in, Var x) const {
  const TimeRange range(pass.tape.ctx.device, "block", block_);
  x = pass.tap(Point::resid_in, x, block_);
  const bool whole = pass.fusable(block_) && fusable();
  pass.count(whole ? &BlockPaths::fused : &BlockPaths::plain, x);
  return pass.tap(Point::resid_out, whole ? fused(pass, in, x) : plain(pass, in, x), block_);
}

}  // namespace sv::parts
