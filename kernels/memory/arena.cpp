#include "kernels/memory/arena.h"

#include <algorithm>
#include <new>

#include "kernels/memory/device.h"

namespace sv {

namespace {
constexpr std::align_val_t kAlign{64};
constexpr size_t kFirstDeviceBlock = size_t{256} << 10;  // the next ones double
}  // namespace

Arena::~Arena() {
  for (const Block& b : blocks_) {
    if (device_) {
      device_->free(b.data);
    } else {
      ::operator delete(b.data, kAlign);
    }
  }
}

void* Arena::alloc(size_t bytes) {
  const size_t need = (std::max<size_t>(bytes, 1) + 63) / 64 * 64;
  while (block_ < blocks_.size() && used_ + need > blocks_[block_].size) {
    ++block_;
    used_ = 0;
  }
  if (block_ == blocks_.size()) {
    // Small models need little of a device, and the executor pays for what it holds.
    const size_t block =
        device_ ? std::min(block_bytes_, kFirstDeviceBlock << std::min(blocks_.size(), size_t{12}))
                : block_bytes_;
    const size_t size = std::max(block, need);
    blocks_.reserve(blocks_.size() + 1);  // so that nothing throws between taking and noting a block
    void* data = device_ ? device_->alloc(size) : ::operator new(size, kAlign);
    blocks_.push_back({static_cast<std::byte*>(data), size});
    ++system_allocations_;
    used_ = 0;
  }
  void* p = blocks_[block_].data + used_;
  used_ += need;
  return p;
}

size_t Arena::reserved() const {
  size_t total = 0;
  for (const Block& b : blocks_) {
    total += b.size;
  }
  return total;
}

}  // namespace sv
