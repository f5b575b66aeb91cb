// Differentiable ops: each calls the op of kernels/ops and records its VJP. This is all that model
// code uses. Shapes are those of the op headers; an absent Var stands for an optional argument.
#pragma once
#include "kernels/autograd/layout_ops.h"
#include "kernels/autograd/tape.h"
#include "kernels/ops/activate/activate.h"
#include "kernels/ops/attention/attention.h"
#include "kernels/ops/matmul/matmul.h"
#include "kernels/ops/nll/loss_kind.h"
#include "kernels/ops/rope/rope.h"

namespace sv::ad {

/// y = x w^T + bias. x (M,...,K), w (M,O,K), bias (M,O) or absent; y (M,...,O). `panels` of w, if
/// it has been packed, stay valid until backward.
Var matmul(Tape&, Var x, Var w, Var bias = {}, const ops::Panels& panels = {});
/// A linear map for each group: x (M,...,G,I), w (M,G,O,I), bias (M,G,O) or absent; (M,...,G,O).
Var grouped_matmul(Tape&, Var x, Var w, Var bias = {});
/// Rows of a table. ids i32 (1|M, 1|B, T), table (M,V,D); y (M,B,T,D) with B = `batch`.
Var embed(Tape&, const Tensor& ids, Var table, int64_t batch);
inline constexpr double kRmsNormEps = 1e-6, kLayerNormEps = 1e-5;
/// x / sqrt(mean(x^2) + eps) * gain. x (M,...,D), gain (M,D) or absent.
Var rmsnorm(Tape&, Var x, Var gain, double eps = kRmsNormEps);
/// (x - mean) / sqrt(var + eps) * gain + bias.
Var layernorm(Tape&, Var x, Var gain, Var bias, double eps = kLayerNormEps);
/// Rotary positions on x (M,B,T,H*K); position t stands at place t + offset.
Var rope(Tape&,
         Var x,
         int heads,
         double base,
         int offset = 0,
         ops::RopeLayout layout = ops::RopeLayout::half_split);
/// softmax(scale q k^T + mask): q (M,B,T,H*K), k (M,B,S,G*K); (M,B,H,T,S).
Var attention_pattern(
    Tape&, Var q, Var k, const ops::AttentionMask&, int heads, int kv_heads, double scale);
/// p v: p (M,B,H,T,S), v (M,B,S,G*K); (M,B,T,H*K).
Var attention_mix(Tape&, Var p, Var v, int heads, int kv_heads);
/// attention_mix of attention_pattern without the pattern: q (M,B,T,H*K), k, v (M,B,S,G*K);
/// (M,B,T,H*K).
Var attention_fused(
    Tape&, Var q, Var k, Var v, const ops::AttentionMask&, int heads, int kv_heads, double scale);
/// silu(gate) * up of x = [gate | up] (M,...,2F); (M,...,F).
Var silu_gate(Tape&, Var x);
Var activate(Tape&, ops::Activation kind, Var x);
Var add(Tape&, Var a, Var b);
Var mul(Tape&, Var a, Var b);
Var scale(Tape&, Var a, double s);
/// a x + b.
Var affine(Tape&, Var x, double a, double b);
/// x s: one factor per row. x (M,...,D), s (M,...), the shape of x without its last axis.
Var mul_rows(Tape&, Var x, Var s);
/// x g: one factor per column. x (M,...,D), g (M,D).
Var mul_columns(Tape&, Var x, Var g);
/// x + b: one term per column. x (M,...,D), b (M,D).
Var add_columns(Tape&, Var x, Var b);
/// alpha a + beta b.
Var mix(Tape&, Var a, double alpha, Var b, double beta);
/// [a | b] along the last axis.
Var concat(Tape&, Var a, Var b);
/// The same memory under another shape.
Var reshape(Tape&, Var x, const Shape& shape);
/// a for the listed models, b for the other live ones; `models` must outlive the tape's records.
Var choose(Tape&, Var a, std::span<const int> models, Var b);
/// exp(x) / sum exp(x) over the last axis.
Var softmax(Tape&, Var x);
/// Mean over T of x (M,B,T,D); (M,B,D).
Var mean_positions(Tape&, Var x);
/// Sum of each model's elements. x (M,...); (M).
Var sum(Tape&, Var x);
/// Sum over the last axis. x (M,...,D); (M,...).
Var sum_last(Tape&, Var x);
/// Negative log-likelihood of each token, 0 and without gradient where its target is below 0.
/// logits (M,B,T,V), targets i32 (1|M,B,T); (M,B,T).
Var nll(Tape&, ops::LossKind kind, Var logits, const Tensor& targets);
/// loss_m = sum of weight * nll. logits (M,B,T,V), targets i32 (1|M,B,T), weight (1|M,B,T); loss
/// (M). `nll` (M,B,T), if not null, receives the loss of each token.
Var softmax_xent(
    Tape&, Var logits, const Tensor& targets, const Tensor& weight, Tensor* nll = nullptr);
/// softmax_xent of matmul(x, w, bias), without the logits in memory. x (M,B,T,D), w (M,V,D), bias
/// (M,V) or absent.
Var linear_xent(Tape&,
                Var x,
                Var w,
                Var bias,
                const Tensor& targets,
                const Tensor& weight,
                Tensor* nll = nullptr);
/// loss_m = sum of weight * binary cross-entropy. logit (M,B), target and weight (1|M,B); loss (M).
Var sigmoid_xent(Tape&, Var logit, const Tensor& target, const Tensor& weight);

}  // namespace sv::ad
