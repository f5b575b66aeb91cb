// Host side of the reductions on a device; shapes were checked by the public functions.
#pragma once
#include "kernels/memory/context.h"

namespace sv::ops::device {

void mean_positions(const Context& ctx, const Tensor& x, const Tensor& y);
/// dx is wanted.
void mean_positions_vjp(const Context& ctx, const Tensor& dy, const Grad& dx);
void change(const Context& ctx, const Tensor& h, const Tensor& h_prev, const Tensor& out);
void sum_squares(const Context& ctx, const Tensor& x, const Tensor& out);
void all_finite(const Context& ctx, const Tensor& x, const Tensor& out);

}  // namespace sv::ops::device
