#include "kernels/ops/concat/concat.h"

#include "kernels/cpu/write.h"
#include "kernels/ops/arguments.h"
#include "kernels/ops/concat/concat_device.h"

namespace sv::ops {

namespace {

/// Columns [first, first + width) of dy into one gradient.
template <class T>
void split_off(const Context& ctx, const Tensor& dy, int64_t first, const Grad& grad) {
  const int64_t N = rows_per_model(dy), whole = dy.dim(-1), width = grad.t.dim(-1);
  const T* from = dy.as<T>() + first;
  T* to = grad.t.as<T>();
  const bool adds = grad.adds();
  cpu::for_each_row_block(
      ctx, ctx.model_count(dy), N, width, [=](int m, int64_t begin, int64_t end) {
        for (int64_t n = m * N + begin; n < m * N + end; ++n) {
          const T* row = from + n * whole;
          cpu::write_row(to + n * width, width, adds, [=](int64_t i) { return row[i]; });
        }
      });
}

}  // namespace

void concat(const Context& ctx, const Tensor& a, const Tensor& b, const Tensor& y) {
  const int64_t A = a.dim(-1), C = b.dim(-1), N = rows_per_model(y);
  expect_shape(b.shape, a.shape.with(-1, C), "b");
  expect_shape(y.shape, a.shape.with(-1, A + C), "y");
  if (ctx.device) {
    device::concat(ctx, a, b, y);
    return;
  }
  with_float(a.dtype, [&]<class T>() {
    const T *pa = a.as<T>(), *pb = b.as<T>();
    T* py = y.as<T>();
    cpu::for_each_row_block(
        ctx, ctx.model_count(a), N, A + C, [=](int m, int64_t begin, int64_t end) {
          for (int64_t n = m * N + begin; n < m * N + end; ++n) {
            const T *row_a = pa + n * A, *row_b = pb + n * C;
            cpu::write_row(py + n * (A + C), A, false, [=](int64_t i) { return row_a[i]; });
            cpu::write_row(py + n * (A + C) + A, C, false, [=](int64_t i) { return row_b[i]; });
          }
        });
  });
}

void concat_vjp(const Context& ctx, const Tensor& dy, const Grad& da, const Grad& db) {
  if (!da.wanted() && !db.wanted()) {
    return;
  }
  const int64_t A = da.wanted() ? da.t.dim(-1) : dy.dim(-1) - db.t.dim(-1);
  expect_grad(da, dy.shape.with(-1, A), "da");
  expect_grad(db, dy.shape.with(-1, dy.dim(-1) - A), "db");
  if (ctx.device) {
    device::concat_vjp(ctx, dy, A, da, db);
    return;
  }
  with_float(dy.dtype, [&]<class T>() {
    if (da.wanted()) {
      split_off<T>(ctx, dy, 0, da);
    }
    if (db.wanted()) {
      split_off<T>(ctx, dy, A, db);
    }
  });
}

}  // namespace sv::ops
