// Host side of adamw on a device; shapes were checked by the public functions. The table of
// parameters travels to the device with each call: 64 bytes a parameter.
#pragma once
#include <span>

#include "kernels/ops/adamw/adamw.h"

namespace sv::ops::device {

void adamw(const Context& ctx, std::span<const AdamWTensors> list, const AdamWStep& s);
void grad_squares(const Context& ctx, std::span<const Tensor> grads, const Tensor& squares);

}  // namespace sv::ops::device
