// Transpose of the last two axes: y[..., d, t] = x[..., t, d].
//
// Shapes: x (M, ..., T, D), y (M, ..., D, T), of rank 3 or more; dx of the VJP (M, ..., T, D), dy
// (M, ..., D, T). Accumulation: none (a copy). Determinism: exact. Cost: one pass, in tiles of 16 x
// 16, so that both sides move whole cache lines. Reference: cases.h. CPU only.
#pragma once
#include "kernels/memory/context.h"

namespace sv::ops {

void transpose(const Context& ctx, const Tensor& x, const Tensor& y);
void transpose_vjp(const Context& ctx, const Tensor& dy, const Grad& dx);

}  // namespace sv::ops
