// Host side of rmsnorm on a device; shapes were checked by the public functions.
#pragma once
#include "kernels/memory/context.h"

namespace sv::ops::device {

void rmsnorm(const Context& ctx,
             const Tensor& x,
             const Tensor& gain,
             double eps,
             const Tensor& y,
             const Tensor& inv_rms);
void rmsnorm_vjp(const Context& ctx,
                 const Tensor& x,
                 const Tensor& gain,
                 const Tensor& inv_rms,
                 const Tensor& dy,
                 const Grad& dx,
                 const Grad& dgain);

}  // namespace sv::ops::device
