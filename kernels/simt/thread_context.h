// ThreadContext: the vocabulary of kernels/simt/context.h for one thread on the executor.
#pragma once
#include <bit>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "kernels/simt/block.h"

namespace sv::simt {

class ThreadContext {
 public:
  ThreadContext(BlockRunner& block, int thread, const LaunchShape& shape, BlockIndex index)
      : block_(block), thread_(thread), shape_(shape), index_(index) {}

  // --- place
  int thread() const { return thread_; }
  int threads() const { return shape_.block; }
  int lane() const { return thread_ % kWarp; }
  int warp() const { return thread_ / kWarp; }
  int warps() const { return shape_.block / kWarp; }
  int block_x() const { return index_.x; }
  int block_y() const { return index_.y; }
  int block_z() const { return index_.z; }
  int grid_x() const { return shape_.grid_x; }
  int grid_y() const { return shape_.grid_y; }
  int grid_z() const { return shape_.grid_z; }

  // --- barriers and warp ops
  void barrier(const Site& site = Site::current()) { block_.barrier(thread_, site); }
  void warp_barrier(const Site& site = Site::current()) {
    block_.warp_op(thread_, WarpOp::barrier, site);
  }
  template <class T>
  T shfl_xor(T x, int mask, const Site& site = Site::current()) {
    return shuffle(WarpOp::shfl_xor, x, mask, site);
  }
  template <class T>
  T shfl_down(T x, int by, const Site& site = Site::current()) {
    return shuffle(WarpOp::shfl_down, x, by, site);
  }
  template <class T>
  T shfl(T x, int from, const Site& site = Site::current()) {
    return shuffle(WarpOp::shfl, x, from, site);
  }
  uint32_t ballot(bool x, const Site& site = Site::current()) {
    return vote(WarpOp::ballot, x, site);
  }
  bool any(bool x, const Site& site = Site::current()) { return vote(WarpOp::any, x, site) != 0; }
  bool all(bool x, const Site& site = Site::current()) { return vote(WarpOp::all, x, site) != 0; }

  // --- shared memory
  template <class T>
  SharedView<T> shared(int byte_offset, int count) {
    const int64_t end = byte_offset + int64_t{count} * static_cast<int64_t>(sizeof(T));
    if (byte_offset < 0 || count < 0 || end > block_.shared().size()) {
      block_.fault(thread_,
                   detail::concat("takes a view of shared bytes ",
                                  byte_offset,
                                  " to ",
                                  end,
                                  ", the launch has ",
                                  block_.shared().size()));
    }
    if (byte_offset % static_cast<int>(alignof(T)) != 0) {
      block_.fault(thread_,
                   detail::concat("takes a view from shared byte ",
                                  byte_offset,
                                  ", misaligned for ",
                                  alignof(T),
                                  " bytes"));
    }
    return {block_, block_.shared(), byte_offset, count};
  }

  // --- asynchronous copies
  template <int bytes, class T>
  void copy_async(SharedView<T> to, const void* from, const Site& site = Site::current()) {
    static_assert(bytes == 4 || bytes == 8 || bytes == 16);
    expect_bytes(to, bytes, "copy_async");
    block_.copy_async(thread_, to.offset(), from, bytes, site);
  }
  template <class T>
  void copy_async16(SharedView<T> to, const void* from, const Site& site = Site::current()) {
    copy_async<16>(to, from, site);
  }
  void commit_async() { block_.commit_async(thread_); }
  template <int n>
  void wait_async() {
    block_.wait_async(thread_, n);
  }

  // --- matrix products
  void mma_bf16_16816(float (&d)[4],
                      const uint32_t (&a)[4],
                      const uint32_t (&b)[2],
                      const Site& site = Site::current()) {
    mma(WarpOp::mma_bf16_16816, d, a, b, site);
  }
  void mma_tf32_1688(float (&d)[4],
                     const uint32_t (&a)[4],
                     const uint32_t (&b)[2],
                     const Site& site = Site::current()) {
    mma(WarpOp::mma_tf32_1688, d, a, b, site);
  }
  template <class T>
  void ldmatrix_x4(uint32_t (&r)[4], SharedView<T> row, const Site& site = Site::current()) {
    ldmatrix(WarpOp::ldmatrix_x4, r, row, site);
  }
  template <class T>
  void ldmatrix_x4_trans(uint32_t (&r)[4], SharedView<T> row, const Site& site = Site::current()) {
    ldmatrix(WarpOp::ldmatrix_x4_trans, r, row, site);
  }
  template <class T>
  void ldmatrix_x2(uint32_t (&r)[2], SharedView<T> row, const Site& site = Site::current()) {
    ldmatrix(WarpOp::ldmatrix_x2, r, row, site);
  }
  template <class T>
  void ldmatrix_x2_trans(uint32_t (&r)[2], SharedView<T> row, const Site& site = Site::current()) {
    ldmatrix(WarpOp::ldmatrix_x2_trans, r, row, site);
  }

  // --- global memory: blocks run on several OS threads, so these are real atomics. Those that code
  // may spin on let others run first.
  template <class T>
  T atomic_add(T* p, T x) {
    static_assert(kWordInteger<T>, "sums of floats have one order: no atomics");
    block_.advance();
    return __atomic_fetch_add(p, x, __ATOMIC_ACQ_REL);
  }
  template <class T>
  T atomic_exchange(T* p, T x, const Site& site = Site::current()) {
    static_assert(kWordInteger<T>);
    block_.poll(thread_, site);
    const T old = __atomic_exchange_n(p, x, __ATOMIC_ACQ_REL);
    return changed(old, x);
  }
  template <class T>
  T atomic_cas(T* p, T expected, T desired, const Site& site = Site::current()) {
    static_assert(kWordInteger<T>);
    block_.poll(thread_, site);
    T old = expected;
    const bool done =
        __atomic_compare_exchange_n(p, &old, desired, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
    return changed(old, done ? desired : old);
  }
  int load_acquire(const int* p, const Site& site = Site::current()) {
    block_.poll(thread_, site);
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
  }
  void store_release(int* p, int x) {
    block_.advance();
    __atomic_store_n(p, x, __ATOMIC_RELEASE);
  }
  int load_volatile(const int* p, const Site& site = Site::current()) {
    block_.poll(thread_, site);
    return __atomic_load_n(p, __ATOMIC_RELAXED);
  }

  // --- numbers
  float fma(float a, float b, float c) { return std::fma(a, b, c); }
  float to_tf32(float x) {
    const uint32_t bits = std::bit_cast<uint32_t>(x);
    if ((bits & 0x7f800000u) == 0x7f800000u) {
      return std::isnan(x) ? std::bit_cast<float>(0x7fffffffu) : x;
    }
    return std::bit_cast<float>((bits + 0x1000u) & ~0x1fffu);
  }
  uint32_t to_bf16(float low, float high) { return bf16_bits(low) | bf16_bits(high) << 16; }

 private:
  template <class T>
  static constexpr bool kWordInteger = std::is_same_v<T, int> || std::is_same_v<T, unsigned>;

  /// Nearest, ties to even; NaN is the instruction's.
  static uint32_t bf16_bits(float x) {
    const uint32_t bits = std::bit_cast<uint32_t>(x);
    return std::isnan(x) ? 0x7fffu : (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  }
  /// The old value of a word; a new one that differs is news to those who wait.
  template <class T>
  T changed(T old, T now) {
    if (old != now) {
      block_.advance();
    }
    return old;
  }
  template <class T>
  T shuffle(WarpOp op, T x, int parameter, const Site& site) {
    static_assert(std::is_trivially_copyable_v<T> && (sizeof(T) == 4 || sizeof(T) == 8),
                  "a warp op takes 4 or 8 bytes");
    WarpLane& lane = block_.lane(thread_);
    lane.parameter = parameter;
    lane.words = sizeof(T) / 4;
    std::memcpy(lane.in, &x, sizeof(T));
    block_.warp_op(thread_, op, site);
    std::memcpy(&x, lane.out, sizeof(T));
    return x;
  }
  uint32_t vote(WarpOp op, bool x, const Site& site) {
    WarpLane& lane = block_.lane(thread_);
    lane.in[0] = x;
    block_.warp_op(thread_, op, site);
    return lane.out[0];
  }
  void mma(
      WarpOp op, float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], const Site& site) {
    WarpLane& lane = block_.lane(thread_);
    std::memcpy(lane.in, a, sizeof a);
    std::memcpy(lane.in + 4, b, sizeof b);
    std::memcpy(lane.in + 6, d, sizeof d);
    block_.warp_op(thread_, op, site);
    std::memcpy(d, lane.out, sizeof d);
  }
  template <int n, class T>
  void ldmatrix(WarpOp op, uint32_t (&r)[n], SharedView<T> row, const Site& site) {
    static_assert(sizeof(T) == 2, "ldmatrix reads elements of 16 bits");
    WarpLane& lane = block_.lane(thread_);
    if (n == 4 || this->lane() < 16) {
      expect_bytes(row, 16, "ldmatrix");
    }
    lane.parameter = row.offset();
    block_.warp_op(thread_, op, site);
    std::memcpy(r, lane.out, sizeof r);
  }
  template <class T>
  void expect_bytes(const SharedView<T>& view, int bytes, const char* what) {
    if (view.bytes() < bytes) {
      block_.fault(thread_,
                   detail::concat(what,
                                  " of ",
                                  bytes,
                                  " bytes at shared byte ",
                                  view.offset(),
                                  ", where the view has ",
                                  view.bytes()));
    }
  }

  BlockRunner& block_;
  int thread_;
  const LaunchShape& shape_;
  BlockIndex index_;
};

}  // namespace sv::simt
