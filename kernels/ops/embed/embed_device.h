// Host side of embed on a device; shapes were checked by the public functions.
#pragma once
#include "kernels/memory/context.h"

namespace sv::ops::device {

void embed(const Context& ctx, const Tensor& ids, const Tensor& table, const Tensor& y);
void embed_vjp(const Context& ctx, const Tensor& ids, const Tensor& dy, const Grad& dtable);

}  // namespace sv::ops::device
