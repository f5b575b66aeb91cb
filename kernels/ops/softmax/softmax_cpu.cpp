#include "kernels/cpu/write.h"
#include "kernels/math/row.h"
#include "kernels/ops/arguments.h"
#include "kernels/ops/softmax/softmax.h"

namespace sv::ops {

void softmax(const Context& ctx, const Tensor& x, const Tensor& y) {
  expect_host(ctx, "softmax");
  const int64_t N = rows_per_model(x), D = x.dim(-1);
  SV_CHECK(D >= 1, "softmax needs a last axis of at least 1, got ", x.shape);
  SV_CHECK(x.data != y.data, "softmax cannot write to its input");
  expect_shape(y.shape, x.shape, "y");
  with_float(x.dtype, [&]<class T>() {
    const T* from = x.as<T>();
    T* to = y.as<T>();
    cpu::for_each_row_block(ctx, ctx.model_count(x), N, D, [=](int m, int64_t begin, int64_t end) {
      T most[cpu::kBlock];  // a block has at most that many rows
      const int64_t first = m * N + begin, rows = end - begin;
      row::exp_rows(from + first * D, rows, D, most, to + first * D);
      for (int64_t n = first; n < first + rows; ++n) {
        T* e = to + n * D;
        const T total = row::sum(e, D);
        cpu::write_row(e, D, false, [=](int64_t i) { return e[i] / total; });
      }
    });
  });
}

void softmax_vjp(const Context& ctx, const Tensor& y, const Tensor& dy, const Grad& dx) {
  expect_host(ctx, "softmax");
  expect_shape(dy.shape, y.shape, "dy");
  expect_grad(dx, y.shape, "dx");
  if (!dx.wanted()) {
    return;
  }
  const int64_t N = rows_per_model(y), D = y.dim(-1);
  with_float(y.dtype, [&]<class T>() {
    const T *value = y.as<T>(), *grad = dy.as<T>();
    T* to = dx.t.as<T>();
    const bool adds = dx.adds();
    cpu::for_each_row_block(ctx, ctx.model_count(y), N, D, [=](int m, int64_t begin, int64_t end) {
      for (int64_t n = m * N + begin; n < m * N + end; ++n) {
        const T *p = value + n * D, *d = grad + n * D;
        const T mean = simd::dot(p, d, D);
        cpu::write_row(to + n * D, D, adds, [=](int64_t i) { return p[i] * (d[i] - mean); });
      }
    });
  });
}

}  // namespace sv::ops
