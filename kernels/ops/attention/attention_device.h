// Host side of attention on a device; shapes were checked by the public functions.
#pragma once
#include "kernels/ops/attention/attention.h"

namespace sv::ops::device {

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

}  // namespace sv::ops::device
