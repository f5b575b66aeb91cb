// Host side of rope on a device; shapes were checked by the public function.
#pragma once
#include "kernels/ops/rope/rope.h"

namespace sv::ops::device {

void rope(const Context& ctx, const Tensor& x, const Rope& rope, bool inverse, const Tensor& y);

}  // namespace sv::ops::device
