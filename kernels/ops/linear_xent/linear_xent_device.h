// Host side of linear_xent on a device; shapes were checked by the public functions.
#pragma once
#include "kernels/ops/linear_xent/linear_xent.h"

namespace sv::ops::device {

void linear_xent(const Context& ctx,
                 const LinearXentInputs& in,
                 const Tensor& loss,
                 const Tensor& nll,
                 const Tensor& logz);
void linear_xent_vjp(const Context& ctx,
                     const LinearXentInputs& in,
                     const Tensor& logz,
                     const Tensor& dloss,
                     const Grad& dx,
                     const Grad& dw,
                     const Grad& dbias);

}  // namespace sv::ops::device
