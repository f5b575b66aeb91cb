// Host side of gather_rows and scatter_rows on a device; shapes were checked by the public
// functions. The numbers of the rows lie on the device: each call waits for a kernel that checks
// them.
#pragma once
#include "kernels/memory/context.h"

namespace sv::ops::device {

void gather_rows(const Context& ctx, const Tensor& x, const Tensor& rows, const Tensor& y);
void scatter_rows(const Context& ctx, const Tensor& y, const Tensor& rows, const Tensor& x);

}  // namespace sv::ops::device
