// Reductions that never cross models.
//
//   mean_positions: y[m,b,:] = (1/T) sum_t x[m,b,t,:]      dx[m,b,t,:] = dy[m,b,:] / T
//   change:         out[m,b] = ||h - h_prev|| / ||h|| over (t, d); 0 when h = h_prev, inf when only
//   h is 0 sum_squares:    out[m] = sum x^2 in double             all_finite: out[m] = 1 if no inf
//   or NaN, else 0
//
// Shapes: x, h, h_prev (M, B, T, D); y (M, B, D); change (M, B); sum_squares and all_finite take
// any (M, ...) and write f64 (M) and i32 (M). Accumulation: mean_positions in the dtype, t
// ascending; change and sum_squares in double: blocks of 4096 elements in 16 lanes, then a fixed
// tree over blocks. Determinism: bits depend on the model's own elements alone. Cost: one pass.
// Reference: cases.h.
#pragma once
#include "kernels/memory/context.h"

namespace sv::ops {

void mean_positions(const Context& ctx, const Tensor& x, const Tensor& y);
void mean_positions_vjp(const Context& ctx, const Tensor& dy, const Grad& dx);
void change(const Context& ctx, const Tensor& h, const Tensor& h_prev, const Tensor& out);
void sum_squares(const Context& ctx, const Tensor& x, const Tensor& out);
void all_finite(const Context& ctx, const Tensor& x, const Tensor& out);

}  // namespace sv::ops
