// The dynamic shared memory of one block with a shadow byte for each byte: what was written, and
// what an asynchronous copy has under way. Views check bounds; reads check the shadow.
#pragma once
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

  /// `size` bytes for a new block: poisoned, nothing written.
  void reset(int size);
  int size() const { return size_; }
  std::byte* at(int offset) { return bytes_.data() + offset; }
  /// Whether all of the bytes are in the state.
  bool all(int offset, int count, State state) const;
  void mark(int offset, int count, State state) {
    std::memset(shadow_.data() + offset, state, static_cast<size_t>(count));
  }
  void poison(int offset, int count) {
    std::memset(at(offset), kPoison, static_cast<size_t>(count));
  }
  /// Why the bytes cannot be accessed: empty if they can.
  std::string objection(int offset, int count, Access access) const;

 private:
  static constexpr int kPoison = 0xFF;  // NaN as a float, -1 as an integer
  std::vector<std::byte> bytes_;
  std::vector<uint8_t> shadow_;
  int size_ = 0;
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
  T load() {
    check(Access::read);
    T value;
    std::memcpy(&value, memory_.at(offset_), sizeof(T));
    return value;
  }
  void store(const T& value) {
    check(Access::write);
    std::memcpy(memory_.at(offset_), &value, sizeof(T));
    memory_.mark(offset_, static_cast<int>(sizeof(T)), SharedMemory::written);
  }
  void check(Access access) {
    // The usual state of a read; everything else is looked at byte by byte.
    if (!memory_.all(offset_, static_cast<int>(sizeof(T)), SharedMemory::written)) {
      const std::string why = memory_.objection(offset_, static_cast<int>(sizeof(T)), access);
      if (!why.empty()) {
        shared_fault(block_, why);
      }
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
