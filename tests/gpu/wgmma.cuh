// The rate of wgmma (sm_90a): one warp group a block multiplies two tiles of shared memory, again
// and again.
#pragma once
#include <cstdint>

namespace sv::gpu::wgmma {

constexpr int kThreads = 128, kRows = 64, kColumns = 128, kDepth = 16, kSums = 64;
constexpr int kTiles = 4;  // pairs of tiles, used in turn
constexpr int kTileA = kRows * kDepth * 2, kTileB = kColumns * kDepth * 2;  // bytes
constexpr int kBytes = kTiles * (kTileA + kTileB);
/// Of a block in one step.
constexpr double kFlops = 2.0 * kRows * kColumns * kDepth;

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
/// Matrix descriptor without swizzle: core matrices of 8 rows of 16 bytes lie one after the other,
/// 128 bytes apart in depth, 256 in rows (PTX ISA, "Matrix descriptor").
__device__ inline uint64_t descriptor(const void* tile) {
  const auto at = static_cast<uint64_t>(__cvta_generic_to_shared(tile));
  return (at & 0x3FFFF) >> 4 | uint64_t{128 >> 4} << 16 | uint64_t{256 >> 4} << 32;
}

#define SV_F4(i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define SV_F16(i) SV_F4(i), SV_F4(i + 4), SV_F4(i + 8), SV_F4(i + 12)
/// d (64, 128) += a (64, 16) b (16, 128).
__device__ inline void multiply(float (&d)[kSums], uint64_t a, uint64_t b) {
  asm volatile(
      "{.reg .pred add;\n"
      "setp.ne.b32 add, %66, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 "
      "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
      "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "
      "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
      "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63}, "
      "%64, %65, add, 1, 1, 0, 0;}"
      : SV_F16(0), SV_F16(16), SV_F16(32), SV_F16(48)
      : "l"(a), "l"(b), "r"(1));
}
#undef SV_F16
#undef SV_F4
#endif

/// out (threads): the sum of a thread's sums after `steps` products of ones, or of random numbers.
static __global__ void __launch_bounds__(kThreads) products(float* out, int steps, bool random) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  extern __shared__ __align__(128) uint16_t tiles[];
  for (int i = static_cast<int>(threadIdx.x); i < kBytes / 2; i += kThreads) {
    // bf16: 1, or a number between 0.5 and 2 with either sign.
    const uint32_t hash = (static_cast<uint32_t>(i) * 2654435761u) >> 16;
    tiles[i] = random ? static_cast<uint16_t>(0x3F00u | (hash & 0x80FFu)) : uint16_t{0x3F80};
  }
  asm volatile("fence.proxy.async;" ::: "memory");
  __syncthreads();
  float d[kSums] = {};
  uint64_t a[kTiles], b[kTiles];
#pragma unroll
  for (int t = 0; t < kTiles; ++t) {
    a[t] = descriptor(tiles + t * kTileA / 2);
    b[t] = descriptor(tiles + kTiles * kTileA / 2 + t * kTileB / 2);
  }
  for (int s = 0; s < steps; s += kTiles) {
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#pragma unroll
    for (int t = 0; t < kTiles; ++t) {
      multiply(d, a[t], b[t]);
    }
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
    asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
  }
  float sum = 0;
#pragma unroll
  for (int i = 0; i < kSums; ++i) {
    sum += d[i];
  }
  out[blockIdx.x * kThreads + threadIdx.x] = sum;
#endif
}

}  // namespace sv::gpu::wgmma
