#include "kernels/cpu/write.h"
#include "kernels/math/simd.h"
#include "kernels/ops/arguments.h"
#include "kernels/ops/broadcast/broadcast.h"
#include "kernels/ops/elementwise/elementwise.h"

namespace sv::ops {

namespace {

struct Dims {
  int64_t N, D;
  int live;  // models computed
};

Dims dims_of(const Context& ctx, const Tensor& x, const char* op) {
  expect_host(ctx, op);
  return {rows_per_model(x), x.dim(-1), ctx.model_count(x)};
}

/// Calls f(n, m) for the rows n of all live models m.
template <class F>
void each_row(const Context& ctx, const Dims& d, F&& f) {
  cpu::for_each_row_block(ctx, d.live, d.N, d.D, [&](int m, int64_t begin, int64_t end) {
    for (int64_t n = m * d.N + begin; n < m * d.N + end; ++n) {
      f(n, m);
    }
  });
}

/// Sums value(n, i) over the rows of each model into `out` (M, D), if wanted.
template <class T, class F>
void sum_rows(const Context& ctx, const Dims& d, const Grad& out, F&& value) {
  if (!out.wanted()) {
    return;
  }
  const ArenaScope scope(*ctx.arena);
  T* partials = cpu::column_partials<T>(ctx, d.live, d.N, d.D);
  cpu::for_each_sum_block(
      ctx, d.live, d.N, d.D, partials, [&](int m, int64_t begin, int64_t end, T* sums) {
        for (int64_t n = m * d.N + begin; n < m * d.N + end; ++n) {
          cpu::write_row(sums, d.D, true, [&](int64_t i) { return value(n, i); });
        }
      });
  cpu::put_column_sums(ctx, d.live, d.N, d.D, partials, out);
}

}  // namespace

void mul_rows(const Context& ctx, const Tensor& x, const Tensor& s, const Tensor& y) {
  const Dims d = dims_of(ctx, x, "mul_rows");
  expect_shape(s.shape, x.shape.without_last(), "s");
  expect_shape(y.shape, x.shape, "y");
  with_float(x.dtype, [&]<class T>() {
    const T *from = x.as<T>(), *factor = s.as<T>();
    T* to = y.as<T>();
    each_row(ctx, d, [=](int64_t n, int) {
      const T* row = from + n * d.D;
      const T f = factor[n];
      cpu::write_row(to + n * d.D, d.D, false, [=](int64_t i) { return row[i] * f; });
    });
  });
}

void mul_rows_vjp(const Context& ctx,
                  const Tensor& x,
                  const Tensor& s,
                  const Tensor& dy,
                  const Grad& dx,
                  const Grad& ds) {
  const Dims d = dims_of(ctx, x, "mul_rows");
  expect_shape(s.shape, x.shape.without_last(), "s");
  expect_shape(dy.shape, x.shape, "dy");
  expect_grad(dx, x.shape, "dx");
  expect_grad(ds, s.shape, "ds");
  with_float(x.dtype, [&]<class T>() {
    const T *from = x.as<T>(), *factor = s.as<T>(), *grad = dy.as<T>();
    T *to = data_or_null<T>(dx), *sums = data_or_null<T>(ds);
    const bool adds = dx.adds(), sums_add = ds.adds();
    each_row(ctx, d, [=](int64_t n, int) {
      const T* row = grad + n * d.D;
      if (to) {
        const T f = factor[n];
        cpu::write_row(to + n * d.D, d.D, adds, [=](int64_t i) { return row[i] * f; });
      }
      if (sums) {
        const T sum = simd::dot(row, from + n * d.D, d.D);
        sums[n] = sums_add ? sums[n] + sum : sum;
      }
    });
  });
}

void mul_columns(const Context& ctx, const Tensor& x, const Tensor& g, const Tensor& y) {
  const Dims d = dims_of(ctx, x, "mul_columns");
  expect_shape(g.shape, {x.dim(0), d.D}, "g");
  expect_shape(y.shape, x.shape, "y");
  with_float(x.dtype, [&]<class T>() {
    const T *from = x.as<T>(), *factors = g.as<T>();
    T* to = y.as<T>();
    each_row(ctx, d, [=](int64_t n, int m) {
      const T *row = from + n * d.D, *f = factors + m * d.D;
      cpu::write_row(to + n * d.D, d.D, false, [=](int64_t i) { return row[i] * f[i]; });
    });
  });
}

void mul_columns_vjp(const Context& ctx,
                     const Tensor& x,
                     const Tensor& g,
                     const Tensor& dy,
                     const Grad& dx,
                     const Grad& dg) {
  const Dims d = dims_of(ctx, x, "mul_columns");
  expect_shape(g.shape, {x.dim(0), d.D}, "g");
  expect_shape(dy.shape, x.shape, "dy");
  expect_grad(dx, x.shape, "dx");
  expect_grad(dg, g.shape, "dg");
  with_float(x.dtype, [&]<class T>() {
    const T *from = x.as<T>(), *factors = g.as<T>(), *grad = dy.as<T>();
    T* to = data_or_null<T>(dx);
    const bool adds = dx.adds();
    if (to) {
      each_row(ctx, d, [=](int64_t n, int m) {
        const T *row = grad + n * d.D, *f = factors + m * d.D;
        cpu::write_row(to + n * d.D, d.D, adds, [=](int64_t i) { return row[i] * f[i]; });
      });
    }
    sum_rows<T>(
        ctx, d, dg, [=](int64_t n, int64_t i) { return grad[n * d.D + i] * from[n * d.D + i]; });
  });
}

void add_columns(const Context& ctx, const Tensor& x, const Tensor& b, const Tensor& y) {
  const Dims d = dims_of(ctx, x, "add_columns");
  expect_shape(b.shape, {x.dim(0), d.D}, "b");
  expect_shape(y.shape, x.shape, "y");
  with_float(x.dtype, [&]<class T>() {
    const T *from = x.as<T>(), *terms = b.as<T>();
    T* to = y.as<T>();
    each_row(ctx, d, [=](int64_t n, int m) {
      const T *row = from + n * d.D, *t = terms + m * d.D;
      cpu::write_row(to + n * d.D, d.D, false, [=](int64_t i) { return row[i] + t[i]; });
    });
  });
}

void add_columns_vjp(const Context& ctx, const Tensor& dy, const Grad& dx, const Grad& db) {
  const Dims d = dims_of(ctx, dy, "add_columns");
  expect_grad(db, {dy.dim(0), d.D}, "db");
  put(ctx, dy, dx);
  with_float(dy.dtype, [&]<class T>() {
    const T* grad = dy.as<T>();
    sum_rows<T>(ctx, d, db, [=](int64_t n, int64_t i) { return grad[n * d.D + i]; });
  });
}

}  // namespace sv::ops
