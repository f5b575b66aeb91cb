// Host side of halt on a device; shapes were checked by the public function.
#pragma once
#include "kernels/memory/context.h"

namespace sv::ops::device {

void halt(const Context& ctx,
          const Tensor& h,
          const Tensor& w,
          const Tensor& bias,
          double threshold,
          const Tensor& logit,
          const Tensor& live);

}  // namespace sv::ops::device
