// Host side of concat on a device; shapes were checked by the public functions.
#pragma once
#include "kernels/memory/context.h"

namespace sv::ops::device {

void concat(const Context& ctx, const Tensor& a, const Tensor& b, const Tensor& y);
/// da has A columns; either may be unwanted.
void concat_vjp(const Context& ctx, const Tensor& dy, int64_t A, const Grad& da, const Grad& db);

}  // namespace sv::ops::device
