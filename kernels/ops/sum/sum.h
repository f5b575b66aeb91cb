// Sums that never cross models.
//
//   sum:      y[m] = sum of all elements of model m      dx = dy[m]
//   sum_last: y[n] = sum_d x[n,d]                        dx[n,d] = dy[n]
//
// Shapes: sum takes x (M, ...) and writes y (M); sum_last takes x (M, ..., D) and writes y (M,
// ...). y has the dtype of x. Accumulation: sum in double (blocks of 4096 elements in 16 lanes,
// then a fixed tree over blocks), rounded once; sum_last in the dtype, in a pattern of D alone.
// Determinism: bits depend on the model's own elements, or the row's, alone. Cost: one read per
// element forward, one write backward. CPU alone. Reference: cases.h.
#pragma once
#include "kernels/memory/context.h"

namespace sv::ops {

void sum(const Context& ctx, const Tensor& x, const Tensor& y);
void sum_vjp(const Context& ctx, const Tensor& dy, const Grad& dx);
void sum_last(const Context& ctx, const Tensor& x, const Tensor& y);
void sum_last_vjp(const Context& ctx, const Tensor& dy, const Grad& dx);

}  // namespace sv::ops
