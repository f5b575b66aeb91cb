// Host side of stage 2 of sums over rows (column_sums_body.h).
#pragma once
#include "kernels/memory/device.h"
#include "kernels/ops/column_sums_body.h"

namespace sv::ops::device {

/// Scratch for stage 1 of K sums: (live, blocks, K, D).
inline float* alloc_partials(const Context& ctx, const ColumnBlocks& c, int live, int K) {
  return ctx.arena->alloc_n<float>(static_cast<size_t>(live * c.blocks * K * c.columns));
}
inline LaunchShape partials_shape(const ColumnBlocks& c, int live, int K) {
  return {.grid_x = c.grid_x(),
          .grid_y = live,
          .block = kSumThreads,
          .shared_bytes = column_sum_bytes(K)};
}
/// Writes the k-th of K sums to `out`, if it is wanted.
inline void put_column_sums(const Context& ctx,
                            const ColumnBlocks& c,
                            const LiveModels& models,
                            const float* partial,
                            int K,
                            int k,
                            const Grad& out) {
  if (out.wanted()) {
    launch<ColumnSums>(ctx,
                       {.grid_x = c.tiles,
                        .grid_y = models.count,
                        .block = kSumThreads,
                        .shared_bytes = column_sum_bytes(1)},
                       {partial, out.t.as<float>(), c.columns, c.blocks, K, k, out.adds(), models});
  }
}

}  // namespace sv::ops::device
