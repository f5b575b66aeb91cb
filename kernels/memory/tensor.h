// Tensor: shape + dtype + pointer, contiguous and row-major. It owns nothing: memory comes from an
// Arena (activations, tape, scratch) or a Buffer (parameters, optimiser state).
#pragma once
#include <cstring>
#include <utility>

#include "core/dtype.h"
#include "core/shape.h"
#include "kernels/memory/arena.h"

namespace sv {

struct Tensor {
  Shape shape;
  DType dtype = DType::f32;
  void* data = nullptr;

  Tensor() = default;
  Tensor(Shape s, DType t, void* p) : shape(s), dtype(t), data(p) {}

  explicit operator bool() const { return data != nullptr; }
  int64_t numel() const { return shape.numel(); }
  int64_t dim(int i) const { return shape[i]; }
  size_t bytes() const { return static_cast<size_t>(numel()) * dtype_size(dtype); }
  /// Typed pointer; throws on a dtype mismatch.
  template <class T>
  T* as() const {
    SV_CHECK(dtype == dtype_of<T>,
             "tensor is ",
             dtype_name(dtype),
             ", asked for ",
             dtype_name(dtype_of<T>));
    return static_cast<T*>(data);
  }
  /// The same memory under another shape of equal size.
  Tensor reshape(Shape s) const {
    SV_CHECK(s.numel() == numel(), "cannot view ", shape, " as ", s);
    return {s, dtype, data};
  }
  /// Entries [begin, begin + count) of the leading axis.
  Tensor slice(int64_t begin, int64_t count) const {
    SV_CHECK(begin >= 0 && count >= 0 && begin + count <= dim(0),
             "slice [",
             begin,
             ", ",
             begin + count,
             ") of ",
             shape);
    const size_t stride = dim(0) ? bytes() / static_cast<size_t>(dim(0)) : 0;
    return {shape.with(0, count),
            dtype,
            static_cast<std::byte*>(data) + stride * static_cast<size_t>(begin)};
  }
  /// In host memory; see zero_tensor (kernels/memory/copy.h).
  void zero() const { std::memset(data, 0, bytes()); }
};

inline Tensor make_tensor(Arena& arena, Shape shape, DType dtype) {
  return {shape, dtype, arena.alloc(static_cast<size_t>(shape.numel()) * dtype_size(dtype))};
}
class Device;

/// An owned tensor, 64-byte aligned and zeroed: parameters, optimiser state, results. It lies on
/// the heap, or on a device, which must outlive it.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Shape shape, DType dtype, Device* device = nullptr);
  ~Buffer();
  Buffer(Buffer&& other) noexcept
      : tensor_(std::exchange(other.tensor_, {})), device_(std::exchange(other.device_, nullptr)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(tensor_, other.tensor_);
    std::swap(device_, other.device_);
    return *this;
  }
  const Tensor& tensor() const { return tensor_; }
  operator const Tensor&() const { return tensor_; }

 private:
  Tensor tensor_;
  Device* device_ = nullptr;  // null: the heap
};

}  // namespace sv
