// Host side of activate on a device; shapes were checked by the public functions.
#pragma once
#include "kernels/ops/activate/activate.h"

namespace sv::ops::device {

void activate(const Context& ctx, Activation kind, const Tensor& x, const Tensor& y);
/// dx is wanted.
void activate_vjp(
    const Context& ctx, Activation kind, const Tensor& x, const Tensor& dy, const Grad& dx);

}  // namespace sv::ops::device
