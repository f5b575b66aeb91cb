// RMSNorm: y = x / rms(x) * gain over the last axis.
//
//   inv_rms = 1 / sqrt(mean_d x_d^2 + eps)          y_d = x_d * inv_rms * gain_d
//   dx_d = inv_rms * (g_d - x_d * inv_rms^2 * mean_d(g x)),  g = dy * gain         dgain_d = sum_n
//   dy x inv_rms
//
// Shapes: x, y (M, ..., D); gain (M, D) or empty (= 1); inv_rms (M, N), N = rows of one model, kept
// for the VJP. Accumulation: in the dtype of x, 64-byte lanes then a fixed tree over D; dgain in
// blocks of 64 rows, in order. Determinism: bits depend on the row alone (forward, dx) and on the
// rows of the model (dgain). Cost: one pass, 2 reads-or-writes per element forward, 3 backward.
// Zhang & Sennrich, arXiv:1910.07467.
#pragma once
#include "kernels/memory/context.h"

namespace sv::ops {

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

}  // namespace sv::ops
