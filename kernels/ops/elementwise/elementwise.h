// Elementwise: y = a + b, y = a b, y = s a, y = s a + t, y = alpha a + beta b, and put: dst (=|+=)
// src.
//
// Shapes: all equal, (M, ...). y may be a or b itself. alpha, beta, s, t are rounded to the dtype
// once. Accumulation: none; mix and affine round each product and the sum. Determinism: bits depend
// on the element alone. Cost: one pass, 3 reads-or-writes per element (scale, affine, put: 2). VJPs
// are these ops again (autograd/ops.cpp). Reference: cases.h.
#pragma once
#include "kernels/memory/context.h"

namespace sv::ops {

void add(const Context& ctx, const Tensor& a, const Tensor& b, const Tensor& y);
void mul(const Context& ctx, const Tensor& a, const Tensor& b, const Tensor& y);
void scale(const Context& ctx, const Tensor& a, double s, const Tensor& y);
void affine(const Context& ctx, const Tensor& a, double s, double t, const Tensor& y);
void mix(const Context& ctx,
         const Tensor& a,
         double alpha,
         const Tensor& b,
         double beta,
         const Tensor& y);
/// Writes or adds src to a gradient; does nothing where it is not wanted.
void put(const Context& ctx, const Tensor& src, const Grad& dst);

}  // namespace sv::ops
