// Reductions over a warp and a block: fixed trees, so the bits are the same on every side and for
// every schedule.
#pragma once
#include "kernels/simt/context.h"

namespace sv::simt {

/// Bytes of shared memory that the block reductions use: a double for each warp.
inline constexpr int kReduceBytes = kWarp * 8;

/// Combines all lanes by a butterfly over lane distances 16, 8, 4, 2, 1: every lane has the result.
template <class C, class T, class F>
SV_DEVICE T warp_reduce(C& ctx, T x, F&& join) {
  for (int by = kWarp / 2; by > 0; by /= 2) {
    x = join(x, ctx.shfl_xor(x, by));
  }
  return x;
}
template <class C, class T>
SV_DEVICE T warp_sum(C& ctx, T x) {
  return warp_reduce(ctx, x, [](T a, T b) { return a + b; });
}
/// The largest value; NaN if any lane holds one.
template <class C>
SV_DEVICE float warp_max(C& ctx, float x) {
  return warp_reduce(ctx, x, [](float a, float b) { return a > b || a != a ? a : b; });
}

/// Combines all threads: a butterfly in each warp, then one over the warps' results, the empty
/// places holding `neutral`. Every thread has the result. Uses kReduceBytes of shared memory at
/// `byte_offset`; the barrier it begins with lets it be called again with the same memory.
template <class C, class T, class F>
SV_DEVICE T block_reduce(C& ctx, T x, T neutral, int byte_offset, F&& join) {
  static_assert(sizeof(T) <= 8, "kReduceBytes holds 8 bytes per warp");
  x = warp_reduce(ctx, x, join);
  auto parts = ctx.template shared<T>(byte_offset, kWarp);
  ctx.barrier();
  if (ctx.lane() == 0) {
    parts[ctx.warp()] = x;
  }
  ctx.barrier();
  T part = neutral;
  if (ctx.lane() < ctx.warps()) {
    part = parts[ctx.lane()];
  }
  return warp_reduce(ctx, part, join);
}
template <class C>
SV_DEVICE float block_sum(C& ctx, float x, int byte_offset) {
  return block_reduce(ctx, x, 0.0f, byte_offset, [](float a, float b) { return a + b; });
}
template <class C>
SV_DEVICE float block_max(C& ctx, float x, int byte_offset) {
  return block_reduce(
      ctx, x, -INFINITY, byte_offset, [](float a, float b) { return a > b || a != a ? a : b; });
}

}  // namespace sv::simt
