// Host side of matmul on a device; shapes were checked by the public functions.
#pragma once
#include "kernels/memory/context.h"

namespace sv::ops::device {

/// Rows of x and dy that one partial sum of dw covers, from the number of rows alone: 512, and more
/// where that would be over 64 partial sums. Up to 512 rows there is one, which has the CPU's bits.
inline int64_t rows_per_part(int64_t N) {
  constexpr int64_t kRows = 512, kMostParts = 64;
  return kRows * ((N + kRows * kMostParts - 1) / (kRows * kMostParts) + (N == 0 ? 1 : 0));
}

/// Elements of partial sums of dw in memory at a time; a pack that needs more takes several
/// launches.
inline constexpr int64_t kMostPartialElements = int64_t{1} << 26;

/// In tf32 and bf16, products whose rows, columns and depth all have at least this extent (from
/// here on the arithmetic decides, not the traffic) go to the device's library, if it has one, and
/// dw then is one sum. Not in f32, whose bits are the CPU's, nor for w in bf16.
inline constexpr int64_t kLibraryExtent = 512;

void matmul(
    const Context& ctx, const Tensor& x, const Tensor& w, const Tensor& bias, const Tensor& y);
void matmul_vjp(const Context& ctx,
                const Tensor& x,
                const Tensor& w,
                const Tensor& dy,
                const Grad& dx,
                const Grad& dw,
                const Grad& dbias,
                int64_t most_partial_elements = kMostPartialElements);

}  // namespace sv::ops::device
