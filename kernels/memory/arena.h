// Bump allocator with mark/rewind, 64-byte aligned, in host or device memory. Tape, activations and
// scratch live here, so a steady training step allocates nothing: blocks are kept after a rewind.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace sv {

class Device;

class Arena {
 public:
  struct Mark {
    size_t block = 0;
    size_t used = 0;
  };
  explicit Arena(size_t block_bytes = size_t{16} << 20) : block_bytes_(block_bytes) {}
  /// Takes its blocks from the device, which must outlive it.
  explicit Arena(Device& device, size_t block_bytes = size_t{64} << 20)
      : block_bytes_(block_bytes), device_(&device) {}
  /// The same; null: host memory.
  Arena(Device* device, size_t block_bytes) : block_bytes_(block_bytes), device_(device) {}
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  /// `bytes` of uninitialised memory, 64-byte aligned, valid until a rewind past it.
  void* alloc(size_t bytes);
  template <class T>
  T* alloc_n(size_t count) {
    return static_cast<T*>(alloc(count * sizeof(T)));
  }
  Mark mark() const { return {block_, used_}; }
  void rewind(Mark m) {
    block_ = m.block;
    used_ = m.used;
  }
  void reset() { rewind({}); }
  /// Bytes held from the system, and how often the system was asked: both constant in the steady
  /// state.
  size_t reserved() const;
  size_t system_allocations() const { return system_allocations_; }

 private:
  struct Block {
    std::byte* data;
    size_t size;
  };
  std::vector<Block> blocks_;
  size_t block_bytes_;
  Device* device_ = nullptr;  // null: host memory
  size_t block_ = 0;
  size_t used_ = 0;
  size_t system_allocations_ = 0;
};

/// Rewinds the arena when the scope ends: for scratch inside an op.
class ArenaScope {
 public:
  explicit ArenaScope(Arena& arena) : arena_(arena), mark_(arena.mark()) {}
  ~ArenaScope() { arena_.rewind(mark_); }
  ArenaScope(const ArenaScope&) = delete;
  ArenaScope& operator=(const ArenaScope&) = delete;

 private:
  Arena& arena_;
  Arena::Mark mark_;
};

}  // namespace sv
