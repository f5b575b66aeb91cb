// Host side of silu_gate on a device; shapes were checked by the public functions.
#pragma once
#include "kernels/memory/context.h"

namespace sv::ops::device {

void silu_gate(const Context& ctx, const Tensor& x, const Tensor& y);
/// dx is wanted.
void silu_gate_vjp(const Context& ctx, const Tensor& x, const Tensor& dy, const Grad& dx);

}  // namespace sv::ops::device
