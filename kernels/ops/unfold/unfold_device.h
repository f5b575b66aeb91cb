// Host side of unfold on a device; shapes were checked by the public functions.
#pragma once
#include "kernels/memory/context.h"
#include "kernels/ops/unfold/unfold_grid.h"

namespace sv::ops::device {

void unfold(const Context& ctx, const Tensor& x, const PatchGrid& grid, const Tensor& y);
void unfold_vjp(const Context& ctx, const Tensor& dy, const PatchGrid& grid, const Grad& dx);

}  // namespace sv::ops::device
