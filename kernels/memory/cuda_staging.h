// Staging: pinned host memory between a device and memory of any kind, so that copies are
// asynchronous both ways.
//
// Slots are used in turn. A copy to the device fills a slot and leaves it to the stream; a copy to
// the host lands in a slot, and is taken out of it when somebody waits for it or needs the slot.
// Each slot has an event, so that waiting for a copy does not wait for work behind it.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <utility>

#include "kernels/memory/cuda_check.h"

namespace sv::cuda {

class Staging {
 public:
  static constexpr size_t kSlots = 8, kSlotBytes = size_t{1} << 20;

  Staging() {
    SV_CUDA_CALL(cudaMallocHost(reinterpret_cast<void**>(&memory_), kSlots * kSlotBytes));
    try {
      for (cudaEvent_t& event : done_) {
        SV_CUDA_CALL(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
      }
    } catch (...) {
      release();
      throw;
    }
  }
  ~Staging() { release(); }
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  /// `src` may be reused at once: what the stream reads is the slot.
  void to_device(void* dst, const void* src, size_t bytes, cudaStream_t stream) {
    each_piece(bytes, [&](size_t at, size_t count) {
      const size_t slot = take();
      std::memcpy(slot_memory(slot), static_cast<const std::byte*>(src) + at, count);
      SV_CUDA_CALL(cudaMemcpyAsync(static_cast<std::byte*>(dst) + at,
                                   slot_memory(slot),
                                   count,
                                   cudaMemcpyHostToDevice,
                                   stream));
      SV_CUDA_CALL(cudaEventRecord(done_[slot], stream));
    });
  }

  /// Up to kSlots pieces are under way; those before them are put into their `dst`.
  void to_host_later(void* dst, const void* src, size_t bytes, cudaStream_t stream) {
    each_piece(bytes, [&](size_t at, size_t count) {
      const size_t slot = take();
      SV_CUDA_CALL(cudaMemcpyAsync(slot_memory(slot),
                                   static_cast<const std::byte*>(src) + at,
                                   count,
                                   cudaMemcpyDeviceToHost,
                                   stream));
      SV_CUDA_CALL(cudaEventRecord(done_[slot], stream));
      coming_[slot] = {static_cast<std::byte*>(dst) + at, count};
    });
  }

  /// Returns when all pieces are where they are to be. After an error none is under way.
  void finish() {
    for (; oldest_ < next_; ++oldest_) {
      deliver(oldest_ % kSlots);
    }
  }

  /// Nothing is written to any `dst` any more; the slots stay taken until their events.
  void drop() noexcept { coming_ = {}; }

 private:
  /// A piece on its way to the host; no `dst`: none in this slot.
  struct Piece {
    std::byte* dst = nullptr;
    size_t bytes = 0;
  };

  template <class F>
  static void each_piece(size_t bytes, const F& f) {
    for (size_t at = 0; at < bytes; at += kSlotBytes) {
      f(at, std::min(kSlotBytes, bytes - at));
    }
  }
  /// The next slot, once nobody uses it.
  size_t take() {
    for (; oldest_ + kSlots <= next_; ++oldest_) {
      deliver(oldest_ % kSlots);
    }
    const size_t slot = next_++ % kSlots;
    wait(slot);
    return slot;
  }
  void deliver(size_t slot) {
    if (coming_[slot].dst != nullptr) {
      wait(slot);
      const Piece piece = std::exchange(coming_[slot], {});
      std::memcpy(piece.dst, slot_memory(slot), piece.bytes);
    }
  }
  void wait(size_t slot) {
    const cudaError_t status = cudaEventSynchronize(done_[slot]);  // never recorded: it is over
    if (status != cudaSuccess) {
      drop();
    }
    check(status, "cudaEventSynchronize", __FILE__, __LINE__);
  }
  void release() {
    for (const cudaEvent_t event : done_) {
      if (event != nullptr) {
        cudaEventDestroy(event);
      }
    }
    cudaFreeHost(memory_);
  }
  std::byte* slot_memory(size_t slot) const { return memory_ + slot * kSlotBytes; }

  std::byte* memory_ = nullptr;
  std::array<cudaEvent_t, kSlots> done_{};
  std::array<Piece, kSlots> coming_{};
  size_t oldest_ = 0, next_ = 0;  // pieces that may be under way, by number
};

}  // namespace sv::cuda
