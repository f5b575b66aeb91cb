#include "kernels/cpu/split.h"
#include "kernels/ops/arguments.h"
#include "kernels/ops/rows/rows.h"
#include "kernels/ops/rows/rows_device.h"

namespace sv::ops {

namespace {

struct Dims {
  int64_t large, small;  // B and B2
  int64_t row_bytes, row_elements;
  int live;
  const int32_t* rows;
  int64_t stride;
  int32_t row(int64_t m, int64_t j) const { return rows[m * stride + j]; }
};

Dims check(const Context& ctx, const Tensor& x, const Tensor& rows, const Tensor& y) {
  SV_CHECK(x.shape.rank() >= 2, "rows need x (M, B, ...), got ", x.shape);
  const int64_t M = x.dim(0), B = x.dim(1), chosen = rows.dim(-1);
  expect_shape(rows.shape, {rows.dim(0), chosen}, "rows");
  expect_shape(y.shape, x.shape.with(1, chosen), "y");
  SV_CHECK(x.dtype == y.dtype, "x is ", dtype_name(x.dtype), ", y is ", dtype_name(y.dtype));
  const int64_t elements = M * B == 0 ? 0 : x.numel() / (M * B);
  const Dims d{B,
               chosen,
               elements * static_cast<int64_t>(dtype_size(x.dtype)),
               elements,
               ctx.model_count(x),
               rows.as<int32_t>(),
               model_stride(rows, M, "rows")};
  if (ctx.device) {
    return d;  // the numbers lie on the device, where a kernel checks them
  }
  for (int i = 0; i < d.live; ++i) {
    for (int64_t j = 0; j < chosen; ++j) {
      const int32_t r = d.row(ctx.model(i), j);
      SV_CHECK(
          r >= -1 && r < B, "rows[", ctx.model(i), ", ", j, "] = ", r, ", there are ", B, " rows");
    }
  }
  return d;
}

void expect_distinct(const Context& ctx, const Dims& d) {
  const ArenaScope scope(*ctx.arena);
  uint8_t* seen = ctx.arena->alloc_n<uint8_t>(static_cast<size_t>(d.large));
  for (int i = 0; i < d.live; ++i) {
    std::fill(seen, seen + d.large, uint8_t{0});
    for (int64_t j = 0; j < d.small; ++j) {
      const int32_t r = d.row(ctx.model(i), j);
      SV_CHECK(
          r < 0 || seen[r]++ == 0, "rows[", ctx.model(i), ", ", j, "] = ", r, " was named before");
    }
  }
}

/// Calls copy(place in x, place in y, bytes) for each chosen row.
template <class F>
void each_row(const Context& ctx, const Dims& d, const Tensor& x, const Tensor& y, F&& copy) {
  auto* large = static_cast<std::byte*>(x.data);
  auto* small = static_cast<std::byte*>(y.data);
  cpu::for_each_row_block(
      ctx, d.live, d.small, d.row_elements, [=](int m, int64_t begin, int64_t end) {
        for (int64_t j = begin; j < end; ++j) {
          const int32_t r = d.row(m, j);
          if (r >= 0) {
            copy(large + (m * d.large + r) * d.row_bytes,
                 small + (m * d.small + j) * d.row_bytes,
                 static_cast<size_t>(d.row_bytes));
          }
        }
      });
}

}  // namespace

void gather_rows(const Context& ctx, const Tensor& x, const Tensor& rows, const Tensor& y) {
  const Dims d = check(ctx, x, rows, y);
  if (ctx.device) {
    device::gather_rows(ctx, x, rows, y);
    return;
  }
  each_row(ctx, d, x, y, [](std::byte* in_x, std::byte* in_y, size_t bytes) {
    std::memcpy(in_y, in_x, bytes);
  });
}

void scatter_rows(const Context& ctx, const Tensor& y, const Tensor& rows, const Tensor& x) {
  const Dims d = check(ctx, x, rows, y);
  if (ctx.device) {
    device::scatter_rows(ctx, y, rows, x);
    return;
  }
  expect_distinct(ctx, d);
  each_row(ctx, d, x, y, [](std::byte* in_x, std::byte* in_y, size_t bytes) {
    std::memcpy(in_x, in_y, bytes);
  });
}

}  // namespace sv::ops
