// The parts reasoners are built from: linear, norm, attention, MLP, block, input embedding,
// injection, head. A part registers its parameters when it is made and is called with a Pass; the
// tensors' shapes are in the comments.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "data/task.h"
#include "kernels/autograd/ops.h"
#include "kernels/fused/block.h"
#include "models/reasoner.h"
#include "models/settings.h"

namespace sv::parts {

/// How matrices of `in` inputs start. Uniform +-1/sqrt(in).
Init fan_in(int64_t in);
/// Output matrices of a block start small so that the residual stream dominates: N(0,
/// (0.5/sqrt(in))^2).
Init small_output(int64_t in);
/// Normal of standard deviation 1/sqrt(in) cut at two standard deviations before that is made true
/// (HRM, TRM).
Init lecun(int64_t in);

/// y = x w^T + b. x (M,...,in), y (M,...,out).
class Linear {
 public:
  Linear() = default;
  Linear(Params&,
         const std::string& name,
         int64_t in,
         int64_t out,
         const Init& weight,
         bool bias = false,
         const Init& bias_init = Init::zeros());
  Var operator()(Pass&, Var x) const;
  /// For fused kernels: the matrix packed, as it is, and the bias or nothing.
  Tensor panels(const Pass& pass) const { return pass.panels(weight_).y; }
  Tensor weight(const Pass& pass) const { return pass.value(weight_); }
  Tensor bias(const Pass& pass) const { return pass.value(bias_); }

 private:
  ParamId weight_ = -1;
  ParamId bias_ = -1;
};

/// Over the last axis: rmsnorm (gain), layernorm (gain, bias), or rms: no parameter, eps 1e-5 (HRM,
/// TRM).
class Norm {
 public:
  Norm() = default;
  Norm(Params&, const std::string& name, const std::string& kind, int64_t width);
  Var operator()(Pass&, Var x) const;
  /// For fused kernels.
  fused::NormWeights weights(const Pass&) const;

 private:
  ParamId gain_ = -1;
  ParamId bias_ = -1;
  Buffer ones_;  // (M, D), the gain of rms for fused kernels, which multiply by one
};

/// What all blocks of one model share.
struct BlockShape {
  int width, heads, kv_heads, hidden;
  std::string mlp, norm, placement;
  bool rope = false;
  double rope_base = 10000;
  ops::RopeLayout rope_pairs = ops::RopeLayout::half_split;
  bool qk_bias = false;  // biases of queries and keys, before rope
  bool qk_norm = false;  // rms norm of queries and keys of every head, without a gain
  bool causal = false;
  int prefix = 0;          // positions before the tokens'
  int positions = 0;       // S, with the prefix
  int token_hidden = 0;    // token mixer instead of attention: width of its MLP; 0: attention
  bool token_norm = true;  // the norm behind a token mixer runs over the positions, not the width
  int conv = 0;            // kernel of the convolution over positions in the MLP; 0: none
  std::function<Init(int64_t in)> matrix = fan_in;
  std::function<Init(int64_t in)> output = small_output;
};
BlockShape block_shape(const ModelSettings&, const TaskSpec&);

/// A mixer of positions and an MLP with residuals around both. x (M,B,S,D). pre: x + f(N x) · post:
/// N(x + f(x)) · sandwich: N2(x + f(N1 x)), the second norm on the sum as in Huginn · branch:
/// x + N2(f(N1 x)), as in Ouro.
///
/// The mixer is multi-head attention, or an MLP over the positions (TRM): each channel is a row of
/// S numbers for it, and for the norm behind it too unless token_norm is false. With `conv` the MLP
/// convolves each hidden channel over the positions after its gate, y_t = b + sum_k w_k x_(t + k -
/// conv/2), and applies silu (URM, arXiv 2512.14693).
///
/// Taps resid_in, q, k, v, attn_pattern (attention alone), attn_out (the output of either mixer),
/// mlp_hidden, mlp_out, resid_out at block index `block`.
class Block {
 public:
  Block(Params&, const std::string& name, const BlockShape&, int block);
  Var operator()(Pass&, const Inputs&, Var x) const;
  /// The sites a block taps, for Reasoner::sites.
  static void add_sites(std::vector<Site>& sites, Phase phase, int block, bool attention = true);

 private:
  /// Op by op: with a gradient, or with a tap inside.
  Var plain(Pass&, const Inputs&, Var x) const;
  /// In one call (fused/block.h), to the same bits.
  Var fused(Pass&, const Inputs&, Var x) const;
  void add_attention(Params&, const std::string& name);
  void add_mlp(Params&, const std::string& name);
  void add_norms(Params&, const std::string& name);
  Var attention(Pass&, const Inputs&, Var x) const;
  Var attend(Pass&, const Inputs&, Var q, Var k, Var v) const;
  Var turned(Pass&, Var x, int heads) const;
  Var add_branch(Pass&, const std::optional<Norm>& norm, Var x, Var f) const;
  /// fused/block.h knows all options of this block.
  bool fusable() const;
  Var token_mixer(Pass&, Var x) const;
  bool mlp_in_one(const Pass&) const;
  Var mlp(Pass&, Var x) const;
  Var convolved(Pass&, Var x) const;
  ops::AttentionMask mask(Pass&, const Inputs&) const;
  BlockShape shape_;
  int block_;
  Linear q_, k_, v_, attn_out_, up_, down_;
  Linear token_up_, token_down_;
  std::vector<ParamId> conv_;  // (M, F) each, weight k of every channel
  ParamId conv_bias_ = -1;
  std::optional<Norm> norm_attn_in_, norm_attn_out_, norm_mlp_in_, norm_mlp_out_;
};

inline constexpr double kEmbeddingStd = 0.7;

/// Tokens to (M,B,T,D): one embedding, plus the task's coordinates or learned positions.
/// With embedding_scale the token's share is multiplied by sqrt(D).
class Embed {
 public:
  Embed(Params&,
        const TaskSpec&,
        const ModelSettings&,
        const Init& tokens = Init::normal(kEmbeddingStd));
  Var operator()(Pass&, const Inputs&) const;
  /// (M, symbols or the task's vocab, D)
  ParamId table() const { return tokens_; }

 private:
  ParamId tokens_;
  double scale_;
  struct Coordinate {
    ParamId table;
    Buffer ids;  // i32 (1, 1, T)
  };
  std::vector<Coordinate> coordinates_;
};

/// How the encoded input e enters an update: h + e, A [h; e], a learned gate g h + (1 - g) e, decay
/// of the state, or not at all. Decay (Parcae, arXiv 2604.12946), with numbers per channel:
///
///   exp(-Delta exp(A)) h + Delta (B e),  Delta = softplus(b) > 0
///
/// so that the factor of h lies below 1 whatever is learned; it starts at sqrt(1/5), B at one.
/// Models whose seed is in `without` are injected at the first update only, so that a
/// control can share a pack (and its data, and its cost) with the models it is compared with.
class Inject {
 public:
  Inject(Params&,
         const std::string& name,
         const std::string& kind,
         int64_t width,
         const std::vector<int>& without = {},
         const std::function<Init(int64_t in)>& matrix = fan_in);
  Var operator()(Pass&, Var h, Var e) const;

 private:
  Var combine(Pass&, Var h, Var e) const;
  Var decayed(Pass&, Var h, Var e) const;
  std::string kind_;
  Linear map_;
  ParamId log_rate_ = -1, step_bias_ = -1;  // of decay: A and b, (M, D)
  std::vector<bool> injected_;              // (M) of the pack: injected at every update
  bool all_ = true;
};

/// Norm and linear readout to the task's answers; taps readout_norm and logits.
class Head {
 public:
  Head(Params&, const std::string& norm, int64_t width, int64_t answers);
  Var operator()(Pass&, Var x) const;
  /// The logits under another shape (M,B,T,V): of a vector with outputs for all positions.
  Var operator()(Pass&, Var x, const Shape& logits) const;

 private:
  int64_t answers_;
  Norm norm_;
  Linear map_;
};

/// Answers of every position by one matrix without a bias, which may be the token embedding: the
/// first of its rows (tied_head, symbols). Taps logits.
class TokenHead {
 public:
  TokenHead(Params&, const TaskSpec&, const ModelSettings&, const Embed&, const Init& matrix);
  Var operator()(Pass&, Var x) const;  // (M,B,T,V)

 private:
  int64_t answers_, symbols_;
  ParamId matrix_;
};

/// The blocks name.0, name.1, ...
std::vector<Block> blocks(Params&, const std::string& name, int count, const BlockShape&);
/// Sites of a model of one state part h: encoder, state, injection, blocks, readout.
std::vector<Site> block_sites(const ModelSettings&);

/// Halting score: linear, of the mean over positions or of each position; weight 0 and a negative
/// bias at the start (deep start, arXiv 2604.21999).
class HaltHead {
 public:
  HaltHead(Params&, int64_t width, double bias = -3);
  Var operator()(Pass&, Var h) const;  // (M,B)
  Var positions(Pass&, Var h) const;   // (M,B,T)

 private:
  Linear map_;
};

Var zeros(Pass&, const Shape&, DType);

/// How one part of the state begins, a tensor of the shape of e. zero · input: e itself · normal:
/// standard normal keyed by (seed, position, channel), the same for every row · fixed: one vector
/// at every position, normal of standard deviation 1 cut at two before that is made true, saved
/// with the model and never trained (HRM, TRM) · random: drawn so for every row, position and
/// channel, anew at every training step (EqR).
class StateStart {
 public:
  StateStart(Params&, const std::string& part, const std::string& kind, int64_t width);
  Var operator()(Pass&, const Inputs&, Var e) const;

 private:
  std::string stream_;  // of random draws
  std::string kind_;
  ParamId vector_ = -1;
};

/// Standard normal numbers (M,B,inner...) as a constant, keyed by (model seed, stream, training
/// step, update, id of the row, element): the same for a row in any batch, pack or thread. With
/// `cut` > 0 the normal is truncated at +-cut (and not rescaled).
Var noise(
    Pass&, const Inputs&, std::string_view stream, const Shape& inner, DType dtype, double cut = 0);

}  // namespace sv::parts
