// Attention in one step: the pattern is never a tensor, and is computed again for the gradient.
//
//   o_htk = sum_s p_hts v_gsk,  p_hts = softmax over visible s of (scale * sum_k q_htk k_gsk)
//   ds_hts = scale * p_hts (dp_hts - sum_s' p_hts' dp_hts'),  dp_hts = sum_k do_htk v_gsk
//   dq_htk = sum_s ds_hts k_gsk     dk_gsk = sum_h,t ds_hts q_htk     dv_gsk = sum_h,t p_hts do_htk
//
// Shapes, masks and heads: those of ops/attention. stats (M, B, H, T, 2) is kept for the VJP: a
// row's largest scaled score and 1 / sum of exp(score - largest), both 0 where nothing is seen. The
// inverse rather than a logarithm: with it p comes out as it did. Accumulation: in the dtype of q.
// On the CPU forward and gradients have the bits of attention_pattern, attention_mix and their
// VJPs. On a device the softmax runs over tiles of 64 keys (32 for heads over 64 wide), 4 chains a
// tile, and heads are at most 128 wide. There in Precision::bf16 and with heads to 64 wide: q, k, v
// and exp(score - largest) are rounded to bf16, both products of the forward pass run on tensor
// cores with f32 sums; the VJP computes in f32 from the rounded q, k and v, so that its pattern is
// that of the forward pass. Determinism: bits depend on the sequence alone, not on padding behind
// `lengths`. Cost per sequence: 4 H T S K flops, 14 H T S K backward; memory: stats, on the CPU T S
// elements of scratch for each thread. Reference: Dao et al., arXiv:2205.14135; Milakov &
// Gimelshein, arXiv:1805.02867.
#pragma once
#include "kernels/ops/attention/attention.h"

namespace sv::ops {

inline constexpr int kMostFusedHead = 128;  // K on a device

/// What both directions read: q (M, B, T, H*K), k and v (M, B, S, G*K).
struct FusedAttention {
  Tensor q, k, v;
  AttentionMask mask;
  int heads, kv_heads;
  double scale;
};

void attention_fused(const Context& ctx,
                     const FusedAttention& in,
                     const Tensor& o,
                     const Tensor& stats);
void attention_fused_vjp(const Context& ctx,
                         const FusedAttention& in,
                         const Tensor& o,
                         const Tensor& stats,
                         const Tensor& dout,
                         const Grad& dq,
                         const Grad& dk,
                         const Grad& dv);

}  // namespace sv::ops
