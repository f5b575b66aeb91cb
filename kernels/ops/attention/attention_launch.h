// What the host sides of attention's device kernels share: sizes, the mask, the shape of a launch.
#pragma once
#include <algorithm>
#include <limits>

#include "kernels/memory/device.h"
#include "kernels/ops/attention/attention.h"
#include "kernels/ops/attention/attention_tile.h"

namespace sv::ops::device {

/// From q or o (M, B, T, H K) and k or v (M, B, S, G K); the tiles are left to the caller.
inline AttentionShape attention_shape(
    const Tensor& row, const Tensor& key, int heads, int kv_heads, int most_width, const char* op) {
  expect_device_f32(row, op);
  const int64_t K = row.dim(3) / heads;
  SV_CHECK(K <= most_width, op, " on a device takes heads at most ", most_width, " wide, got ", K);
  const auto number = [&](int64_t n) {
    SV_CHECK(n <= std::numeric_limits<int>::max() / kHeadTile, op, ": a dimension is ", n);
    return static_cast<int>(n);
  };
  AttentionShape d{};
  d.B = number(row.dim(1)), d.T = number(row.dim(2)), d.S = number(key.dim(2));
  d.H = heads, d.G = kv_heads, d.K = number(K);
  return d;
}

inline DeviceMask device_mask(const AttentionMask& mask) {
  const auto data = [](const Tensor& t) { return t ? t.as<int32_t>() : nullptr; };
  constexpr int64_t kMost = std::numeric_limits<int>::max() / 2;  // t + offset fits an int
  SV_CHECK(mask.offset >= -kMost && mask.offset <= kMost, "attention: offset is ", mask.offset);
  const auto stride = [](const Tensor& t) { return t && t.dim(0) > 1 ? t.dim(1) : 0; };
  return {data(mask.lengths),
          data(mask.prefix),
          stride(mask.lengths),
          stride(mask.prefix),
          mask.kind == AttentionMask::Kind::bidirectional,
          static_cast<int>(mask.offset)};
}

/// Threads for the patches of (rows, columns).
inline int patch_threads(int rows, int columns) {
  const int patches = up_to_four(rows) / 4 * (up_to_four(columns) / 4);
  return std::max(kHeadLeastThreads, (patches + simt::kWarp - 1) / simt::kWarp * simt::kWarp);
}

/// `tiles` blocks for each of `heads` heads of each sequence of the live models.
inline LaunchShape head_blocks(
    const AttentionShape& d, int heads, int tiles, const LiveModels& models, int block, int bytes) {
  const int64_t blocks = int64_t{d.B} * heads * tiles;
  SV_CHECK(blocks <= std::numeric_limits<int>::max(), "attention needs ", blocks, " blocks");
  return {.grid_x = static_cast<int>(blocks),
          .grid_y = models.count,
          .block = block,
          .shared_bytes = bytes};
}

}  // namespace sv::ops::device
