// Buffer: where its memory comes from and goes back to.
#include <new>

#include "kernels/memory/device.h"

namespace sv {

namespace {
constexpr std::align_val_t kAlign{64};
}

Buffer::Buffer(Shape shape, DType dtype, Device* device)
    : tensor_(shape, dtype, nullptr), device_(device) {
  const size_t bytes = std::max<size_t>(tensor_.bytes(), 1);
  if (device_) {
    tensor_.data = device_->alloc(bytes);
    try {
      device_->zero(tensor_.data, tensor_.bytes());
    } catch (...) {
      device_->free(tensor_.data);
      throw;
    }
  } else {
    tensor_.data = ::operator new(bytes, kAlign);
    tensor_.zero();
  }
}

Buffer::~Buffer() {
  if (device_) {
    device_->free(tensor_.data);
  } else {
    ::operator delete(tensor_.data, kAlign);
  }
}

}  // namespace sv
