// Attention in two steps, so that its pattern is a tensor that can be read, replaced and
// differentiated.
//
//   pattern:  p_hts = softmax over visible s of (scale * sum_k q_htk k_gsk)       mix:  o_htk =
//   sum_s p_hts v_gsk ds_hts = scale * p_hts (dp_hts - sum_s' p_hts' dp_hts')     dq_htk = sum_s
//   ds_hts k_gsk dk_gsk = sum_h,t ds_hts q_htk      dp_hts = sum_k do_htk v_gsk      dv_gsk =
//   sum_h,t p_hts do_htk
//
// Shapes: q, o (M, B, T, H*K); k, v (M, B, S, G*K); p (M, B, H, T, S). Head h reads keys of g = h /
// (H / G), so G = kv_heads divides H = heads. A gradient has the shape of its tensor. Masks: the
// keys a query sees are always the first n of the S, and p is 0 behind them. Query t stands at
// position t + mask.offset among the keys: S - T where the queries are the last of the keys, the
// number of keys before them in a cache that is longer. A row that sees nothing is all zeros, and
// so are its gradients. Accumulation: in the dtype of q; products are chains over k, s or t
// ascending, in dk and dv head after head (see ops/matmul); the softmax sum runs over 64-byte
// lanes, then a fixed tree, of the n visible keys alone. exp is point::exp_poly. Determinism: a
// sequence (m, b) is computed by one thread and depends on nothing outside it; padding behind
// `lengths` does not change the bits of what stands before it. Cost per sequence: 2 H T S K flops
// for each of p, o, dq, dk, dp, dv; p is written once. Reference: Vaswani et al., arXiv:1706.03762;
// grouped heads: Ainslie et al., arXiv:2305.13245.
#pragma once
#include "kernels/memory/context.h"

namespace sv::ops {

struct AttentionMask {
  enum class Kind : uint8_t {
    bidirectional,
    causal,  // no key behind the query's own position: s <= t + offset
    prefix   // positions before `prefix` see each other, later ones are causal
  };
  Kind kind = Kind::bidirectional;
  Tensor lengths;      // i32 (1|M, B), keys in use, in [0, S]; empty: all
  Tensor prefix;       // i32 (1|M, B), only with kind prefix
  int64_t offset = 0;  // position of query 0 among the keys; bidirectional has no use for it
};

/// Throws unless the mask's tensors fit M models of B sequences with S keys. Values in a device's
/// memory are not looked at: its kernels take an entry outside [0, S] as the nearest inside.
void check_mask(const Context& ctx, const AttentionMask& mask, int64_t M, int64_t B, int64_t S);

void attention_pattern(const Context& ctx,
                       const Tensor& q,
                       const Tensor& k,
                       const AttentionMask& mask,
                       int heads,
                       int kv_heads,
                       double scale,
                       const Tensor& p);
void attention_pattern_vjp(const Context& ctx,
                           const Tensor& q,
                           const Tensor& k,
                           const Tensor& p,
                           const Tensor& dp,
                           const AttentionMask& mask,
                           int heads,
                           int kv_heads,
                           double scale,
                           const Grad& dq,
                           const Grad& dk);

void attention_mix(
    const Context& ctx, const Tensor& p, const Tensor& v, int heads, int kv_heads, const Tensor& o);
void attention_mix_vjp(const Context& ctx,
                       const Tensor& p,
                       const Tensor& v,
                       const Tensor& dout,
                       int heads,
                       int kv_heads,
                       const Grad& dp,
                       const Grad& dv);

}  // namespace sv::ops
