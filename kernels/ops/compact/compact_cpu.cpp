#include "kernels/cpu/split.h"
#include "kernels/ops/arguments.h"
#include "kernels/ops/compact/compact.h"
#include "kernels/ops/compact/compact_device.h"

namespace sv::ops {

namespace {

void check(const Context& ctx, const Tensor& x, const Tensor& rows, const Tensor& y) {
  SV_CHECK(x.shape.rank() >= 2, "live rows need x (M, B, ...), got ", x.shape);
  const int64_t M = x.dim(0), B = x.dim(1), chosen = y.dim(1);
  expect_shape(rows.shape, {M, rows.dim(-1)}, "rows");
  SV_CHECK(chosen <= rows.dim(1), "y has ", chosen, " rows, the list ", rows.dim(1));
  expect_shape(y.shape, x.shape.with(1, chosen), "y");
  SV_CHECK(x.dtype == y.dtype, "x is ", dtype_name(x.dtype), ", y is ", dtype_name(y.dtype));
  if (ctx.device) {
    return;  // the list lies on the device
  }
  const auto* list = rows.as<int32_t>();
  for (int i = 0; i < ctx.model_count(x); ++i) {
    for (int64_t j = 0; j < chosen; ++j) {
      const int32_t r = list[ctx.model(i) * rows.dim(1) + j];
      SV_CHECK(
          r >= -1 && r < B, "rows[", ctx.model(i), ", ", j, "] = ", r, ", there are ", B, " rows");
    }
  }
}

/// Calls copy(place in x, place in y, bytes) for each chosen row.
template <class F>
void each_row(const Context& ctx, const Tensor& x, const Tensor& rows, const Tensor& y, F&& copy) {
  const int64_t M = x.dim(0), B = x.dim(1), chosen = y.dim(1), stride = rows.dim(1);
  const size_t bytes = M * B == 0 ? 0 : x.bytes() / static_cast<size_t>(M * B);
  auto* large = static_cast<std::byte*>(x.data);
  auto* small = static_cast<std::byte*>(y.data);
  const auto* list = rows.as<int32_t>();
  const auto elements = static_cast<int64_t>(bytes / dtype_size(x.dtype));
  cpu::for_each_row_block(
      ctx, ctx.model_count(x), chosen, elements, [=](int m, int64_t begin, int64_t end) {
        for (int64_t j = begin; j < end; ++j) {
          const int32_t r = list[m * stride + j];
          if (r >= 0) {
            copy(large + static_cast<size_t>(m * B + r) * bytes,
                 small + static_cast<size_t>(m * chosen + j) * bytes,
                 bytes);
          }
        }
      });
}

}  // namespace

void live_rows(const Context& ctx, const Tensor& live, const Tensor& rows, const Tensor& count) {
  SV_CHECK(live.shape.rank() == 2, "live_rows needs live (M, B), got ", live.shape);
  const int64_t B = live.dim(1);
  expect_shape(rows.shape, live.shape, "rows");
  expect_shape(count.shape, {live.dim(0)}, "count");
  const auto* flags = live.as<int32_t>();
  auto *list = rows.as<int32_t>(), *counts = count.as<int32_t>();
  if (ctx.device) {
    device::live_rows(ctx, live, rows, count);
    return;
  }
  for (int i = 0; i < ctx.model_count(live); ++i) {
    const int64_t m = ctx.model(i);
    int32_t found = 0;
    for (int64_t b = 0; b < B; ++b) {
      if (flags[m * B + b] != 0) {
        list[m * B + found++] = static_cast<int32_t>(b);
      }
    }
    std::fill(list + m * B + found, list + (m + 1) * B, -1);
    counts[m] = found;
  }
}

void gather_live(const Context& ctx, const Tensor& x, const Tensor& rows, const Tensor& y) {
  check(ctx, x, rows, y);
  if (ctx.device) {
    device::copy_live(ctx, x, rows, y, false);
    return;
  }
  each_row(ctx, x, rows, y, [](std::byte* in_x, std::byte* in_y, size_t bytes) {
    std::memcpy(in_y, in_x, bytes);
  });
}

void scatter_live(const Context& ctx, const Tensor& y, const Tensor& rows, const Tensor& x) {
  check(ctx, x, rows, y);
  if (ctx.device) {
    device::copy_live(ctx, x, rows, y, true);
    return;
  }
  each_row(ctx, x, rows, y, [](std::byte* in_x, std::byte* in_y, size_t bytes) {
    std::memcpy(in_x, in_y, bytes);
  });
}

}  // namespace sv::ops
