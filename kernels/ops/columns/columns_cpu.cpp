#include "kernels/ops/columns/columns.h"

#include "kernels/cpu/write.h"
#include "kernels/ops/arguments.h"

namespace sv::ops {

namespace {

/// Calls f(row of x, row of y) with pointers to each row of the live models.
template <class T, class F>
void each_row(const Context& ctx, const Tensor& x, const Tensor& y, F&& f) {
  const int64_t N = rows_per_model(x), D = x.dim(-1), count = y.dim(-1);
  T *px = x.as<T>(), *py = y.as<T>();
  cpu::for_each_row_block(
      ctx, ctx.model_count(x), N, std::max(D, count), [&](int m, int64_t begin, int64_t end) {
        for (int64_t n = m * N + begin; n < m * N + end; ++n) {
          f(px + n * D, py + n * count);
        }
      });
}

void check_list(std::span<const int> columns, int64_t D, int64_t count) {
  SV_CHECK_EQ(static_cast<int64_t>(columns.size()), count, "columns listed and columns of y");
  for (size_t j = 0; j < columns.size(); ++j) {
    SV_CHECK(columns[j] >= 0 && columns[j] < D,
             "select_columns: columns[",
             j,
             "] = ",
             columns[j],
             ", there are ",
             D,
             " columns");
  }
}

}  // namespace

void slice_columns(const Context& ctx, const Tensor& x, int64_t begin, const Tensor& y) {
  expect_no_device(ctx, "slice_columns");
  const int64_t count = y.dim(-1);
  expect_shape(y.shape, x.shape.with(-1, count), "y");
  expect_range(begin, count, x.dim(-1), "slice_columns", "columns");
  with_float(x.dtype, [&]<class T>() {
    each_row<T>(ctx, x, y, [=](const T* from, T* to) {
      cpu::write_row(to, count, false, [=](int64_t i) { return from[begin + i]; });
    });
  });
}

void slice_columns_vjp(const Context& ctx, const Tensor& dy, int64_t begin, const Grad& dx) {
  expect_no_device(ctx, "slice_columns");
  if (!dx.wanted()) {
    return;
  }
  const int64_t count = dy.dim(-1), D = dx.t.dim(-1);
  expect_shape(dx.t.shape, dy.shape.with(-1, D), "dx");
  expect_range(begin, count, D, "slice_columns", "columns");
  const bool adds = dx.adds();
  with_float(dy.dtype, [&]<class T>() {
    each_row<T>(ctx, dx.t, dy, [=](T* to, const T* from) {
      if (!adds) {
        std::fill(to, to + begin, T{0});
        std::fill(to + begin + count, to + D, T{0});
      }
      cpu::write_row(to + begin, count, adds, [=](int64_t i) { return from[i]; });
    });
  });
}

void select_columns(const Context& ctx,
                    const Tensor& x,
                    std::span<const int> columns,
                    const Tensor& y) {
  expect_no_device(ctx, "select_columns");
  const int64_t count = y.dim(-1);
  expect_shape(y.shape, x.shape.with(-1, count), "y");
  check_list(columns, x.dim(-1), count);
  const int* list = columns.data();
  with_float(x.dtype, [&]<class T>() {
    each_row<T>(ctx, x, y, [=](const T* from, T* to) {
      cpu::write_row(to, count, false, [=](int64_t j) { return from[list[j]]; });
    });
  });
}

void select_columns_vjp(const Context& ctx,
                        const Tensor& dy,
                        std::span<const int> columns,
                        const Grad& dx) {
  expect_no_device(ctx, "select_columns");
  if (!dx.wanted()) {
    return;
  }
  const int64_t count = dy.dim(-1), D = dx.t.dim(-1);
  expect_shape(dx.t.shape, dy.shape.with(-1, D), "dx");
  check_list(columns, D, count);
  const int* list = columns.data();
  const bool adds = dx.adds();
  with_float(dy.dtype, [&]<class T>() {
    each_row<T>(ctx, dx.t, dy, [=](T* to, const T* from) {
      if (!adds) {
        std::fill(to, to + D, T{0});
      }
      for (int64_t j = 0; j < count; ++j) {  // in order: a column may be named twice
        to[list[j]] += from[j];
      }
    });
  });
}

}  // namespace sv::ops
