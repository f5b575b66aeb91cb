// LayerNorm: y = (x - mean) * inv_std * gain + bias over the last axis.
//
//   inv_std = 1 / sqrt(mean_d (x_d - mean)^2 + eps)         xhat = (x - mean) * inv_std,  g = dy *
//   gain dx = inv_std * (g - mean_d(g) - xhat * mean_d(g xhat))  dgain = sum_n dy xhat dbias =
//   sum_n dy
//
// Shapes: x, y (M, ..., D); gain, bias (M, D) or empty; stats (M, N, 2) = mean, inv_std, kept for
// the VJP. Accumulation: in the dtype of x, two passes over the row (the deviations are squared,
// not the values), 64-byte lanes then a fixed tree over D; dgain and dbias in blocks of 64 rows, in
// order. Determinism: bits depend on the row alone (forward, dx) and on the rows of the model
// (dgain, dbias). Cost: one pass over memory. Ba et al., arXiv:1607.06450.
#pragma once
#include "kernels/memory/context.h"

namespace sv::ops {

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

}  // namespace sv::ops
