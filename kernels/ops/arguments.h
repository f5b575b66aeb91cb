// Checks and strides that most ops share.
#pragma once
#include "kernels/memory/context.h"

namespace sv::ops {

/// Rows of one model when the last axis is `width` wide: numel / (M width).
inline int64_t rows_per_model(const Tensor& x) {
  SV_CHECK(x.shape.rank() >= 2, "an op needs (M, ..., D), got ", x.shape);
  const int64_t columns = x.dim(0) * x.dim(-1);
  return columns == 0 ? 0 : x.numel() / columns;
}

/// Refuses a device, for an op that the CPU alone computes.
inline void expect_host(const Context& ctx, const char* op) {
  SV_CHECK(ctx.device == nullptr, op, " has no kernels for a device yet; it runs on the CPU");
}

/// Checks the shape of a gradient that is wanted.
inline void expect_grad(const Grad& grad, const Shape& expected, const char* name) {
  if (grad.wanted()) {
    expect_shape(grad.t.shape, expected, name);
  }
}

/// Elements between the entries of axis 0: 0 when it has size 1 and so is shared by all M models.
inline int64_t model_stride(const Tensor& t, int64_t models, const char* name) {
  SV_CHECK(t.dim(0) == 1 || t.dim(0) == models,
           name,
           " has shape ",
           t.shape,
           ", axis 0 must be 1 or ",
           models);
  return t.dim(0) == 1 ? 0 : t.numel() / t.dim(0);
}

/// Checks class numbers i32 (1|M, B, T) in host memory, those of the live models: -1 = none, others
/// in [0, classes).
inline void expect_classes(const Context& ctx, const Tensor& t, int64_t classes, const char* name) {
  const auto* list = t.as<int32_t>();
  const int64_t T = t.dim(2), size = t.dim(1) * T;
  for (int i = 0; i < (t.dim(0) == 1 ? 1 : ctx.model_count(t)); ++i) {
    const int64_t m = t.dim(0) == 1 ? 0 : ctx.model(i);
    for (int64_t n = 0; n < size; ++n) {
      const int32_t c = list[m * size + n];
      const bool known = c >= -1 && c < classes;
      SV_CHECK(known,
               name,
               "[",
               m,
               ", ",
               n / T,
               ", ",
               n % T,
               "] = ",
               c,
               ", there are ",
               classes,
               " classes");
    }
  }
}

/// Elements of one position of x (M, B, T, ...).
inline int64_t position_elements(const Shape& x, const char* op) {
  SV_CHECK(x.rank() >= 3, op, " needs (M, B, T, ...), got ", x);
  int64_t elements = 1;
  for (int i = 3; i < x.rank(); ++i) {
    elements *= x[i];
  }
  return elements;
}

/// Throws unless [begin, begin + count) lies in [0, size).
inline void expect_range(
    int64_t begin, int64_t count, int64_t size, const char* op, const char* what) {
  SV_CHECK(begin >= 0 && count >= 0 && begin + count <= size,
           op,
           ": [",
           begin,
           ", ",
           begin + count,
           ") is not within the ",
           size,
           " ",
           what);
}

/// Typed pointer, null for an absent tensor.
template <class T>
T* data_or_null(const Tensor& t) {
  return t ? t.as<T>() : nullptr;
}
template <class T>
T* data_or_null(const Grad& grad) {
  return grad.wanted() ? grad.t.as<T>() : nullptr;
}

}  // namespace sv::ops
