// The dynamic shared memory of one block with a shadow of each byte: what was written, what an
// asynchronous copy has under way, and who touched it last. Views check bounds; every access checks
// the shadow, so that a missing barrier is found under any schedule in which both accesses happen.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

namespace sv::simt {

enum class Access { read, write };

class SharedMemory {
 public:
  enum State : uint8_t { unwritten = 0, written = 1, in_flight = 2 };

  /// `size` bytes for a new block: poisoned, nothing written. `find_races`: look for accesses of
  /// two threads, one of them a write, without a barrier between.
  void reset(int size, bool find_races);
  int size() const { return size_; }
  std::byte* at(int offset) { return bytes_.data() + offset; }

  /// Takes note of an access of the running thread. Why it is wrong; empty if it is not.
  std::string access(int offset, int count, Access access) {
    return access_by(running_, offset, count, access);
  }
  std::string access_by(int thread, int offset, int count, Access access);
  void mark(int offset, int count, State state) {
    std::memset(shadow_.data() + offset, state, static_cast<size_t>(count));
  }
  void poison(int offset, int count) {
    std::memset(at(offset), kPoison, static_cast<size_t>(count));
  }

  // --- what has happened in the block
  void set_running(int thread) { running_ = thread; }
  void barrier_opened() { ++epoch_; }
  void warp_barrier_opened(int warp) { ++warp_epochs_[static_cast<size_t>(warp)]; }

 private:
  static constexpr int kPoison = 0xFF;  // NaN as a float, -1 as an integer

  /// Who touched a byte. Epochs count barriers and never start again, so nothing needs a reset.
  struct History {
    uint32_t write_epoch = 0, write_warp_epoch = 0;
    uint32_t read_epoch = 0, read_warp_epoch = 0;
    uint32_t reading_warps = 0;  // in read_epoch
    int16_t writer = 0;
    int16_t reader = 0;    // the last one
    bool several = false;  // other lanes of the reader's warp read it in the same warp epoch
  };
  std::string race(int thread, int byte, Access access);
  std::string race_text(int thread, int byte, Access access, int other, const char* did) const;

  std::vector<std::byte> bytes_;
  std::vector<uint8_t> shadow_;
  std::vector<History> history_;
  int size_ = 0;
  bool find_races_ = true;
  int running_ = 0;
  uint32_t epoch_ = 0;
  std::array<uint32_t, 32> warp_epochs_{};
};

class BlockRunner;
/// Throws the report of the running lane.
[[noreturn]] void shared_fault(BlockRunner& block, const std::string& what);
[[noreturn]] void view_fault(BlockRunner& block, int64_t index, int count, int offset, int element);

/// s[i] of a view: reads as T, is assigned T. Only as a temporary, so that `auto v = s[i]` cannot
/// put off the read.
template <class T>
class SharedReference {
 public:
  SharedReference(BlockRunner& block, SharedMemory& memory, int offset)
      : block_(block), memory_(memory), offset_(offset) {}
  SharedReference(const SharedReference&) = delete;

  operator T() && { return load(); }
  void operator=(T value) && { store(value); }
  void operator=(SharedReference&& other) && { store(other.load()); }
  void operator+=(T value) && { store(load() + value); }

 private:
  static constexpr int kBytes = static_cast<int>(sizeof(T));
  T load() {
    check(Access::read);
    T value;
    std::memcpy(&value, memory_.at(offset_), sizeof(T));
    return value;
  }
  void store(const T& value) {
    check(Access::write);
    std::memcpy(memory_.at(offset_), &value, sizeof(T));
    memory_.mark(offset_, kBytes, SharedMemory::written);
  }
  void check(Access access) {
    const std::string why = memory_.access(offset_, kBytes, access);
    if (!why.empty()) {
      shared_fault(block_, why);
    }
  }

  BlockRunner& block_;
  SharedMemory& memory_;
  int offset_;
};

/// `count` elements of T from a byte offset on.
template <class T>
class SharedView {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  SharedView(BlockRunner& block, SharedMemory& memory, int offset, int count)
      : block_(&block), memory_(&memory), offset_(offset), count_(count) {}

  SharedReference<T> operator[](int64_t i) const {
    expect_element(i);
    return {*block_, *memory_, offset_ + static_cast<int>(i) * static_cast<int>(sizeof(T))};
  }
  /// The view from element i on; i == count is allowed, like the end of an array.
  SharedView operator+(int64_t i) const {
    if (i < 0 || i > count_) {
      view_fault(*block_, i, count_, offset_, static_cast<int>(sizeof(T)));
    }
    return {*block_,
            *memory_,
            offset_ + static_cast<int>(i) * static_cast<int>(sizeof(T)),
            count_ - static_cast<int>(i)};
  }
  int offset() const { return offset_; }
  int bytes() const { return count_ * static_cast<int>(sizeof(T)); }

 private:
  void expect_element(int64_t i) const {
    if (i < 0 || i >= count_) {
      view_fault(*block_, i, count_, offset_, static_cast<int>(sizeof(T)));
    }
  }
  BlockRunner* block_;
  SharedMemory* memory_;
  int offset_;
  int count_;
};

}  // namespace sv::simt
