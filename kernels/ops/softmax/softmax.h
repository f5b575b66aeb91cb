// Softmax over the last axis.
//
//   y_d = exp(x_d - max) / sum_d exp(x_d - max)          dx_d = y_d (dy_d - sum_d y_d dy_d)
//
// Shapes: x, y (M, ..., D), D >= 1; y is not x. Accumulation: in the dtype, in a pattern of D
// alone. Determinism: bits depend on the row alone. NaN in, NaN out. Cost: one pass and one
// exponential per element forward, one pass backward. CPU alone. Reference: cases.h.
#pragma once
#include "kernels/memory/context.h"

namespace sv::ops {

void softmax(const Context& ctx, const Tensor& x, const Tensor& y);
void softmax_vjp(const Context& ctx, const Tensor& y, const Tensor& dy, const Grad& dx);

}  // namespace sv::ops
