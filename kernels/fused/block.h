// A whole transformer block in one call, for runs without gradient: attention and MLP with their
// residuals and norms, from packed weights.
//
//   a = N2(x + attention(N1 x))          y = N4(a + mlp(N3 a))          a norm without gain is
//   absent
//
// Shapes: x, y (M, B, T, D), not the same memory. A thread takes a few sequences through the whole
// block, stripe of rows by stripe, so that what one step writes the next one finds in L1 or L2;
// where there are fewer sequences than threads, the threads share the rows of one and meet once,
// when keys and values are there. Bits: those of the ops one by one (ops/rmsnorm, layernorm,
// matmul, rope, attention, silu_gate, activate, elementwise), whatever the threads, stripes and
// pack: the same functions of a row, the same chains. Nothing in between can be read or written: a
// run that taps a site inside the block takes the ops. Cost: the products' flops, 2 M B T (4 D^2 +
// 3 D F + 2 T D) for a gated MLP; x and y are moved once.
#pragma once
#include "kernels/ops/attention/attention.h"

namespace sv::fused {

struct NormWeights {
  Tensor gain;         // (M, D); empty: no norm stands here
  Tensor bias;         // (M, D) of a layernorm, or empty
  bool layer = false;  // layernorm, not rmsnorm
  double eps = 0;
};

/// Matrices as `ops::Panels::y`, packed by ops::pack_panels from w (M, out, in).
struct BlockWeights {
  NormWeights attn_in, attn_out, mlp_in, mlp_out;
  Tensor q, k, v, out;        // of (D, D), (G K, D), (G K, D), (D, D)
  Tensor up, down;            // of (F or 2F, D), (D, F)
  Tensor up_bias, down_bias;  // (M, F or 2F), (M, D), or empty
};

struct BlockSizes {
  int heads, kv_heads;  // H, G
  int64_t hidden;       // F
  bool gated;           // silu(gate) * up; otherwise gelu(up)
  bool rope;
  double rope_base;
};

void block(const Context& ctx,
           const BlockSizes& sizes,
           const BlockWeights& weights,
           const ops::AttentionMask& mask,
           const Tensor& x,
           const Tensor& y);

}  // namespace sv::fused
