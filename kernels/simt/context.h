// The vocabulary of a device body: what `body(C& ctx, const Args&)` may say, on both sides.
//
// A body is a template over its context C. nvcc gives it CudaContext (context_cuda.cuh, thin inline
// PTX), g++ gives it simt::ThreadContext (thread_context.h, the executor, tests only). A body
// includes this file, kernels/math/*.h and core headers without host libraries; nothing else.
//
//   struct ScaleRows {
//     static constexpr const char* kName = "scale_rows";      // unique in the project
//     struct Args { const float* x; float* y; int n; LiveModels models; };  // trivially copyable,
//     template <class C> SV_DEVICE static void body(C& ctx, const Args& a) {...}      // <= 4 KB
//   };
//   template <class Table> void scale_kernels(Table& t) { t.template add<ScaleRows>(); }
//
// **Place.** int thread(), threads(), lane(), warp(), warps(); block_x/y/z(), grid_x/y/z(). Blocks
// are one-dimensional, a multiple of 32 threads, at most max_block<K>().
//
// **Barriers.** barrier(): all threads of the block, from one line of source. warp_barrier(): the
// 32 lanes. What a thread wrote to shared memory, others see after one of them, not after a warp
// op.
//
// **Warp ops.** T shfl_xor(T, int mask), T shfl_down(T, int by), T shfl(T, int lane); uint32_t
// ballot(bool), bool any(bool), bool all(bool). T has 4 or 8 bytes. The whole warp takes part: no
// lane has returned, none is in another branch. shfl_down past lane 31 keeps the lane's own value.
//
// **Shared.** auto s = ctx.template shared<T>(byte_offset, count): a view of the block's dynamic
// shared memory. `T v = s[i];` reads, `s[i] = v;` and `s[i] += v;` write; `s + i` is the view from
// element i on. Write the type of a value that is read (not auto): on the executor s[i] is a
// checked reference. What was not written in this block is uninitialised. Two views may name the
// same bytes; offsets are multiples of alignof(T), Float4 for 16 bytes at once.
//
// **Asynchronous copies.** copy_async<bytes>(s + i, const void* global): 4, 8 or 16 bytes
// (copy_async16 for 16), both addresses aligned to it; commit_async() closes a group;
// wait_async<n>() returns when at most n groups of this thread are under way. Other threads see the
// bytes after a barrier that follows.
//
// **Products.** mma_bf16_16816(d, a, b): d (16x8) += a (16x16) b (16x8), bf16 in, f32 sums;
// mma_tf32_1688(d, a, b): d += a (16x8) b (8x8), tf32 in (round with to_tf32 before). Fragments as
// in the PTX ISA (mma.sync.aligned.m16n8k16, m16n8k8). ldmatrix_x4(r, s), ldmatrix_x2(r, s) and
// ..._trans: s is this lane's row of 16 bytes, a view of a type of 16 bits aligned to 16 bytes;
// lanes 0-31 name the rows for x4, 0-15 for x2, the others' are ignored.
//
// **Global memory.** Plain pointers; load4 and store4 below move 16 bytes. T atomic_add(T*, T),
// atomic_exchange(T*, T), atomic_cas(T*, T expected, T desired) for int and unsigned, never floats:
// sums have one order; they release and acquire, on the whole GPU. int load_acquire(const int*),
// store_release(int*, int), load_volatile(const int*).
//
// **Numbers.** float fma(a, b, c) rounds once on both sides; a * b + c rounds twice on both sides
// (--fmad=false, -ffp-contract=off). Division and std::sqrt round correctly on both. Elementary
// functions come from kernels/math/point.h. float to_tf32(float): nearest, ties away from zero.
// uint32_t to_bf16(float low, float high): two bf16 in a word, nearest, ties to even.
#pragma once
#include <cmath>
#include <cstdint>

#include "core/host_device.h"

namespace sv::simt {

inline constexpr int kWarp = 32;
/// Limits of one launch on every architecture that is built for (sm_80 has 163 KiB of shared
/// memory, sm_90 227 KiB; CudaDevice checks the card's own).
inline constexpr int kMostThreads = 1024;
inline constexpr int kMostSharedBytes = 227 * 1024;
inline constexpr int kMostArgBytes = 4096;

/// Threads that a block of kernel K may have: K::kMaxBlock, or 512, which leaves each thread 128
/// registers. nvcc compiles for it, and the executor refuses more.
template <class K>
constexpr int max_block() {
  if constexpr (requires { K::kMaxBlock; }) {
    return K::kMaxBlock;
  } else {
    return 512;
  }
}

/// 16 bytes moved by one instruction.
struct alignas(16) Float4 {
  float at[4];
};

/// Whether p can be read or written 16 bytes at a time.
SV_HD inline bool aligned16(const void* p) {
  return reinterpret_cast<uintptr_t>(p) % 16 == 0;
}
SV_DEVICE Float4 load4(const float* p) {
  return *reinterpret_cast<const Float4*>(p);
}
SV_DEVICE void store4(float* p, Float4 v) {
  *reinterpret_cast<Float4*>(p) = v;
}

}  // namespace sv::simt
