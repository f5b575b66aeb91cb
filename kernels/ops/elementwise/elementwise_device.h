// Host side of the elementwise ops on a device; shapes were checked by the public functions.
#pragma once
#include "kernels/memory/context.h"

namespace sv::ops::device {

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
void put(const Context& ctx, const Tensor& src, const Grad& dst);

}  // namespace sv::ops::device
