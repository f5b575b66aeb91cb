// Host side of mlp on a device; shapes were checked by the public function.
#pragma once
#include "kernels/ops/mlp/mlp.h"

namespace sv::ops::device {

/// Below this many blocks a GPU is not full, and blocks of fewer rows finish earlier. (A test asks
/// for large ones.)
inline constexpr int64_t kFewMlpBlocks = 128;

void mlp(const Context& ctx,
         const Tensor& x,
         const MlpWeights& w,
         const Tensor& y,
         int64_t few_blocks = kFewMlpBlocks);

}  // namespace sv::ops::device
