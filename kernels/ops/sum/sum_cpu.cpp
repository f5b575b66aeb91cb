#include "kernels/cpu/tree.h"
#include "kernels/cpu/write.h"
#include "kernels/math/row.h"
#include "kernels/ops/arguments.h"
#include "kernels/ops/sum/sum.h"

namespace sv::ops {

namespace {

/// dx of rows of `width` elements: each gets dy of its row.
void spread(const Context& ctx, const Tensor& dy, const Grad& dx, int64_t rows, int64_t width) {
  with_float(dy.dtype, [&]<class T>() {
    const T* from = dy.as<T>();
    T* to = dx.t.as<T>();
    const bool adds = dx.adds();
    cpu::for_each_row_block(
        ctx, ctx.model_count(dy), rows, width, [=](int m, int64_t begin, int64_t end) {
          for (int64_t n = m * rows + begin; n < m * rows + end; ++n) {
            const T d = from[n];
            cpu::write_row(to + n * width, width, adds, [=](int64_t) { return d; });
          }
        });
  });
}

}  // namespace

void sum(const Context& ctx, const Tensor& x, const Tensor& y) {
  expect_host(ctx, "sum");
  const int64_t M = x.dim(0), size = M == 0 ? 0 : x.numel() / M;
  expect_shape(y.shape, {M}, "y");
  const int live = ctx.model_count(x);
  with_float(x.dtype, [&]<class T>() {
    const T* from = x.as<T>();
    T* to = y.as<T>();
    cpu::for_each_item(ctx, live, live * size, [=, &ctx](int64_t item) {
      const int m = ctx.model(static_cast<int>(item));
      const T* own = from + m * size;
      to[m] = static_cast<T>(
          cpu::block_sum(size, [own](int64_t i) { return static_cast<double>(own[i]); }));
    });
  });
}

void sum_vjp(const Context& ctx, const Tensor& dy, const Grad& dx) {
  expect_host(ctx, "sum");
  if (dx.wanted()) {
    const int64_t M = dx.t.dim(0);
    expect_shape(dy.shape, {M}, "dy");
    spread(ctx, dy, dx, 1, M == 0 ? 0 : dx.t.numel() / M);
  }
}

void sum_last(const Context& ctx, const Tensor& x, const Tensor& y) {
  expect_host(ctx, "sum_last");
  const int64_t N = rows_per_model(x), D = x.dim(-1);
  SV_CHECK(D >= 1, "sum_last needs a last axis of at least 1, got ", x.shape);
  expect_shape(y.shape, x.shape.without_last(), "y");
  with_float(x.dtype, [&]<class T>() {
    const T* from = x.as<T>();
    T* to = y.as<T>();
    cpu::for_each_row_block(ctx, ctx.model_count(x), N, D, [=](int m, int64_t begin, int64_t end) {
      for (int64_t n = m * N + begin; n < m * N + end; ++n) {
        to[n] = row::sum(from + n * D, D);
      }
    });
  });
}

void sum_last_vjp(const Context& ctx, const Tensor& dy, const Grad& dx) {
  expect_host(ctx, "sum_last");
  if (dx.wanted()) {
    const int64_t N = rows_per_model(dx.t);
    expect_shape(dy.shape, dx.t.shape.without_last(), "dy");
    spread(ctx, dy, dx, N, dx.t.dim(-1));
  }
}

}  // namespace sv::ops
