// Host side of live_rows and of copies of live rows on a device; shapes were checked by the public
// functions. Nothing here waits for the device.
#pragma once
#include "kernels/memory/context.h"

namespace sv::ops::device {

void live_rows(const Context& ctx, const Tensor& live, const Tensor& rows, const Tensor& count);
/// x to y, or y to x.
void copy_live(
    const Context& ctx, const Tensor& x, const Tensor& rows, const Tensor& y, bool scatter);

}  // namespace sv::ops::device
