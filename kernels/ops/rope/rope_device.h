// Host side of rope on a device; shapes were checked by the public function.
#pragma once
#include "kernels/memory/context.h"

namespace sv::ops::device {

void rope(
    const Context& ctx, const Tensor& x, int heads, double base, bool inverse, const Tensor& y);

}  // namespace sv::ops::device
