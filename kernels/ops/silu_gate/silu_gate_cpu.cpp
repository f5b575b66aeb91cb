#include "kernels/cpu/write.h"
#include "kernels/math/point.h"
#include "kernels/ops/arguments.h"
#include "kernels/ops/silu_gate/silu_gate.h"
#include "kernels/ops/silu_gate/silu_gate_device.h"

namespace sv::ops {

namespace {

int64_t check(const Tensor& x, const Tensor& y) {
  SV_CHECK(
      x.shape.rank() >= 2 && x.dim(-1) % 2 == 0, "silu_gate needs x (M, ..., 2F), got ", x.shape);
  const int64_t F = x.dim(-1) / 2;
  expect_shape(y.shape, x.shape.with(-1, F), "y");
  return F;
}

/// Both gradients of one row; one sigmoid serves the value and the derivative.
template <class T>
inline void row_dx(const T* gate,
                   const T* up,
                   const T* dy,
                   int64_t F,
                   T* __restrict__ dgate,
                   T* __restrict__ dup,
                   bool adds) {
  if (adds) {
#pragma omp simd
    for (int64_t i = 0; i < F; ++i) {
      const T s = point::sigmoid(gate[i]);
      dgate[i] += dy[i] * up[i] * (s * (T{1} + gate[i] * (T{1} - s)));
      dup[i] += dy[i] * (gate[i] * s);
    }
  } else {
#pragma omp simd
    for (int64_t i = 0; i < F; ++i) {
      const T s = point::sigmoid(gate[i]);
      dgate[i] = dy[i] * up[i] * (s * (T{1} + gate[i] * (T{1} - s)));
      dup[i] = dy[i] * (gate[i] * s);
    }
  }
}

}  // namespace

void silu_gate(const Context& ctx, const Tensor& x, const Tensor& y) {
  const int64_t F = check(x, y), N = rows_per_model(y);
  if (ctx.device) {
    device::silu_gate(ctx, x, y);
    return;
  }
  with_float(x.dtype, [&]<class T>() {
    const T* from = x.as<T>();
    T* to = y.as<T>();
    cpu::for_each_row_block(
        ctx, ctx.model_count(x), N, 2 * F, [=](int m, int64_t begin, int64_t end) {
          for (int64_t n = m * N + begin; n < m * N + end; ++n) {
            const T *gate = from + 2 * n * F, *up = gate + F;
            cpu::write_row(
                to + n * F, F, false, [=](int64_t i) { return point::silu(gate[i]) * up[i]; });
          }
        });
  });
}

void silu_gate_vjp(const Context& ctx, const Tensor& x, const Tensor& dy, const Grad& dx) {
  const int64_t F = check(x, dy), N = rows_per_model(dy);
  expect_grad(dx, x.shape, "dx");
  if (!dx.wanted()) {
    return;
  }
  if (ctx.device) {
    device::silu_gate_vjp(ctx, x, dy, dx);
    return;
  }
  with_float(x.dtype, [&]<class T>() {
    const T *from = x.as<T>(), *dy_rows = dy.as<T>();
    T* to = dx.t.as<T>();
    const bool adds = dx.adds();
    cpu::for_each_row_block(
        ctx, ctx.model_count(x), N, 2 * F, [=](int m, int64_t begin, int64_t end) {
          for (int64_t n = m * N + begin; n < m * N + end; ++n) {
            const T* gate = from + 2 * n * F;
            T* dgate = to + 2 * n * F;
            row_dx(gate, gate + F, dy_rows + n * F, F, dgate, dgate + F, adds);
          }
        });
  });
}

}  // namespace sv::ops
