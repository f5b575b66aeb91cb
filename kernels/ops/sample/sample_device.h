// Host side of sample on a device; shapes were checked by the public function.
#pragma once
#include "kernels/ops/sample/sample.h"

namespace sv::ops::device {

void sample(const Context& ctx,
            const Tensor& logits,
            const Tensor& keys,
            const SampleDraw& draw,
            const Tensor& out);

}  // namespace sv::ops::device
