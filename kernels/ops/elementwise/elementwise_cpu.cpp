#include "kernels/ops/elementwise/elementwise.h"

#include "kernels/cpu/write.h"
#include "kernels/ops/elementwise/elementwise_device.h"

namespace sv::ops {

namespace {

/// Calls f(first, count) for blocks of the live models' elements of x.
template <class F>
void each_block(const Context& ctx, const Tensor& x, F&& f) {
  const int64_t M = x.dim(0);
  const int64_t size = M == 0 ? 0 : x.numel() / M;
  cpu::for_each_row_block(ctx, ctx.model_count(x), size, 1, [&](int m, int64_t begin, int64_t end) {
    f(m * size + begin, end - begin);
  });
}

}  // namespace

void add(const Context& ctx, const Tensor& a, const Tensor& b, const Tensor& y) {
  expect_shape(b.shape, a.shape, "b");
  expect_shape(y.shape, a.shape, "y");
  if (ctx.device) {
    device::add(ctx, a, b, y);
    return;
  }
  with_float(a.dtype, [&]<class T>() {
    const T *pa = a.as<T>(), *pb = b.as<T>();
    T* py = y.as<T>();
    each_block(ctx, a, [=](int64_t at, int64_t n) {
      cpu::write_row(py + at, n, false, [=](int64_t i) { return pa[at + i] + pb[at + i]; });
    });
  });
}

void mul(const Context& ctx, const Tensor& a, const Tensor& b, const Tensor& y) {
  expect_shape(b.shape, a.shape, "b");
  expect_shape(y.shape, a.shape, "y");
  if (ctx.device) {
    device::mul(ctx, a, b, y);
    return;
  }
  with_float(a.dtype, [&]<class T>() {
    const T *pa = a.as<T>(), *pb = b.as<T>();
    T* py = y.as<T>();
    each_block(ctx, a, [=](int64_t at, int64_t n) {
      cpu::write_row(py + at, n, false, [=](int64_t i) { return pa[at + i] * pb[at + i]; });
    });
  });
}

void scale(const Context& ctx, const Tensor& a, double s, const Tensor& y) {
  expect_shape(y.shape, a.shape, "y");
  if (ctx.device) {
    device::scale(ctx, a, s, y);
    return;
  }
  with_float(a.dtype, [&]<class T>() {
    const T* pa = a.as<T>();
    T* py = y.as<T>();
    const T factor = static_cast<T>(s);
    each_block(ctx, a, [=](int64_t at, int64_t n) {
      cpu::write_row(py + at, n, false, [=](int64_t i) { return factor * pa[at + i]; });
    });
  });
}

void affine(const Context& ctx, const Tensor& a, double s, double t, const Tensor& y) {
  expect_shape(y.shape, a.shape, "y");
  if (ctx.device) {
    device::affine(ctx, a, s, t, y);
    return;
  }
  with_float(a.dtype, [&]<class T>() {
    const T* pa = a.as<T>();
    T* py = y.as<T>();
    const T factor = static_cast<T>(s), added = static_cast<T>(t);
    each_block(ctx, a, [=](int64_t at, int64_t n) {
      cpu::write_row(py + at, n, false, [=](int64_t i) { return factor * pa[at + i] + added; });
    });
  });
}

void mix(const Context& ctx,
         const Tensor& a,
         double alpha,
         const Tensor& b,
         double beta,
         const Tensor& y) {
  expect_shape(b.shape, a.shape, "b");
  expect_shape(y.shape, a.shape, "y");
  if (ctx.device) {
    device::mix(ctx, a, alpha, b, beta, y);
    return;
  }
  with_float(a.dtype, [&]<class T>() {
    const T *pa = a.as<T>(), *pb = b.as<T>();
    T* py = y.as<T>();
    const T fa = static_cast<T>(alpha), fb = static_cast<T>(beta);
    each_block(ctx, a, [=](int64_t at, int64_t n) {
      cpu::write_row(
          py + at, n, false, [=](int64_t i) { return fa * pa[at + i] + fb * pb[at + i]; });
    });
  });
}

void put(const Context& ctx, const Tensor& src, const Grad& dst) {
  if (!dst.wanted()) {
    return;
  }
  expect_shape(dst.t.shape, src.shape, "dst");
  if (ctx.device) {
    device::put(ctx, src, dst);
    return;
  }
  with_float(src.dtype, [&]<class T>() {
    const T* from = src.as<T>();
    T* to = dst.t.as<T>();
    const bool adds = dst.adds();
    each_block(ctx, src, [=](int64_t at, int64_t n) {
      cpu::write_row(to + at, n, adds, [=](int64_t i) { return from[at + i]; });
    });
  });
}

}  // namespace sv::ops
