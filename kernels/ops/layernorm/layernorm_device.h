// Host side of layernorm on a device; shapes were checked by the public functions.
#pragma once
#include "kernels/memory/context.h"

namespace sv::ops::device {

void layernorm(const Context& ctx,
               const Tensor& x,
               const Tensor& gain,
               const Tensor& bias,
               double eps,
               const Tensor& y,
               const Tensor& stats);
void layernorm_vjp(const Context& ctx,
                   const Tensor& x,
                   const Tensor& gain,
                   const Tensor& stats,
                   const Tensor& dy,
                   const Grad& dx,
                   const Grad& dgain,
                   const Grad& dbias);

}  // namespace sv::ops::device
