#include "kernels/ops/rmsnorm/rmsnorm.h"

#include "kernels/ops/rmsnorm/rmsnorm_device.h"
#include "kernels/ops/rmsnorm/rmsnorm_row.h"

namespace sv::ops {

namespace {

struct Dims {
  int64_t M, N, D;
  int live;  // models computed
};

Dims check(const Context& ctx,
           const Tensor& x,
           const Tensor& gain,
           const Tensor& y,
           const Tensor& inv_rms) {
  SV_CHECK(x.shape.rank() >= 2, "rmsnorm needs x (M, ..., D), got ", x.shape);
  const int64_t M = x.dim(0), D = x.dim(-1);
  const int64_t N = D * M == 0 ? 0 : x.numel() / (M * D);
  expect_shape(y.shape, x.shape, "y");
  expect_shape(inv_rms.shape, {M, N}, "inv_rms");
  if (gain) {
    expect_shape(gain.shape, {M, D}, "gain");
  }
  return {M, N, D, ctx.model_count(x)};
}

template <class T>
void forward(
    const Context& ctx, const Dims& d, const T* x, const T* gain, double eps, T* y, T* inv_rms) {
  const int64_t D = d.D;
  cpu::for_each_row_block(ctx, d.live, d.N, D, [&](int m, int64_t begin, int64_t end) {
    const T* g = gain ? gain + m * D : nullptr;
    for (int64_t n = m * d.N + begin; n < m * d.N + end; ++n) {
      inv_rms[n] = cpu::rmsnorm_row(x + n * D, g, static_cast<T>(eps), D, y + n * D);
    }
  });
}

/// dx of one row; `gain` may be null.
template <class T>
void row_dx(const T* x, const T* gain, const T* dy, T inv, int64_t D, T* dx, bool adds) {
  const T sum = simd::sum_terms<T>(D, [&](int64_t i, int64_t count) {
    const auto xg = simd::load_n(x + i, count) * simd::load_n(dy + i, count);
    return gain ? xg * simd::load_n(gain + i, count) : xg;
  });
  const T pull = inv * inv * (sum / static_cast<T>(D));
  if (gain) {
    cpu::write_row(dx, D, adds, [&](int64_t i) { return inv * (dy[i] * gain[i] - x[i] * pull); });
  } else {
    cpu::write_row(dx, D, adds, [&](int64_t i) { return inv * (dy[i] - x[i] * pull); });
  }
}

template <class T>
void backward(const Context& ctx,
              const Dims& d,
              const T* x,
              const T* gain,
              const T* inv_rms,
              const T* dy,
              const Grad& dx,
              const Grad& dgain) {
  const ArenaScope scope(*ctx.arena);
  const int64_t D = d.D;
  T* partials = cpu::column_partials<T>(ctx, d.live, d.N, D);
  T* to = dx.wanted() ? dx.t.as<T>() : nullptr;
  cpu::for_each_sum_block(
      ctx, d.live, d.N, D, partials, [&](int m, int64_t begin, int64_t end, T* sums) {
        for (int64_t n = m * d.N + begin; n < m * d.N + end; ++n) {
          const T* row = x + n * D;
          const T* dy_row = dy + n * D;
          const T inv = inv_rms[n];
          if (dgain.wanted()) {
            cpu::write_row(sums, D, true, [&](int64_t i) { return dy_row[i] * row[i] * inv; });
          }
          if (to) {
            row_dx(row, gain ? gain + m * D : nullptr, dy_row, inv, D, to + n * D, dx.adds());
          }
        }
      });
  cpu::put_column_sums(ctx, d.live, d.N, D, partials, dgain);
}

}  // namespace

void rmsnorm(const Context& ctx,
             const Tensor& x,
             const Tensor& gain,
             double eps,
             const Tensor& y,
             const Tensor& inv_rms) {
  const Dims d = check(ctx, x, gain, y, inv_rms);
  if (ctx.device) {
    device::rmsnorm(ctx, x, gain, eps, y, inv_rms);
    return;
  }
  with_float(x.dtype, [&]<class T>() {
    forward(ctx, d, x.as<T>(), gain ? gain.as<T>() : nullptr, eps, y.as<T>(), inv_rms.as<T>());
  });
}

void rmsnorm_vjp(const Context& ctx,
                 const Tensor& x,
                 const Tensor& gain,
                 const Tensor& inv_rms,
                 const Tensor& dy,
                 const Grad& dx,
                 const Grad& dgain) {
  const Dims d = check(ctx, x, gain, dy, inv_rms);
  if (dx.wanted()) {
    expect_shape(dx.t.shape, x.shape, "dx");
  }
  if (dgain.wanted()) {
    expect_shape(dgain.t.shape, {d.M, d.D}, "dgain");
  }
  if (ctx.device) {
    device::rmsnorm_vjp(ctx, x, gain, inv_rms, dy, dx, dgain);
    return;
  }
  with_float(x.dtype, [&]<class T>() {
    backward(
        ctx, d, x.as<T>(), gain ? gain.as<T>() : nullptr, inv_rms.as<T>(), dy.as<T>(), dx, dgain);
  });
}

}  // namespace sv::ops
