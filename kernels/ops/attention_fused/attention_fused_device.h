// Host side of attention_fused on a device; shapes were checked by the public functions.
#pragma once
#include "kernels/ops/attention_fused/attention_fused.h"

namespace sv::ops::device {

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

}  // namespace sv::ops::device
