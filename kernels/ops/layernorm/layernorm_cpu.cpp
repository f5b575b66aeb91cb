#include "kernels/ops/layernorm/layernorm.h"
#include "kernels/ops/layernorm/layernorm_device.h"

#include "kernels/ops/arguments.h"
#include "kernels/ops/layernorm/layernorm_row.h"

namespace sv::ops {

namespace {

struct Dims {
  int64_t M, N, D;
  int live;
};

using cpu::RowStats;

template <class T>
void forward(const Context& ctx,
             const Dims& d,
             const T* x,
             const T* gain,
             const T* bias,
             T eps,
             T* y,
             T* stats) {
  const int64_t D = d.D;
  cpu::for_each_row_block(ctx, d.live, d.N, D, [=](int m, int64_t begin, int64_t end) {
    const T* g = gain ? gain + m * D : nullptr;
    const T* b = bias ? bias + m * D : nullptr;
    for (int64_t n = m * d.N + begin; n < m * d.N + end; ++n) {
      const RowStats<T> row = cpu::layernorm_row(x + n * D, g, b, eps, D, y + n * D);
      stats[2 * n] = row.mean;
      stats[2 * n + 1] = row.inv_std;
    }
  });
}

/// dx of one row; `gain` may be null.
template <class T>
void row_dx(const T* x, const T* gain, const T* dy, RowStats<T> s, int64_t D, T* dx, bool adds) {
  const auto g = [=](int64_t i, int64_t count) {
    const auto v = simd::load_n(dy + i, count);
    return gain ? v * simd::load_n(gain + i, count) : v;
  };
  const T mean_g = simd::sum_terms<T>(D, g) / static_cast<T>(D);
  const T mean_gx =
      simd::sum_terms<T>(D,
                         [&](int64_t i, int64_t count) {
                           const auto deviation =
                               simd::load_n(x + i, count) - simd::broadcast(s.mean);
                           return g(i, count) * (deviation * simd::broadcast(s.inv_std));
                         }) /
      static_cast<T>(D);
  if (gain) {
    cpu::write_row(dx, D, adds, [=](int64_t i) {
      return s.inv_std * (dy[i] * gain[i] - mean_g - (x[i] - s.mean) * s.inv_std * mean_gx);
    });
  } else {
    cpu::write_row(dx, D, adds, [=](int64_t i) {
      return s.inv_std * (dy[i] - mean_g - (x[i] - s.mean) * s.inv_std * mean_gx);
    });
  }
}

template <class T>
void backward(const Context& ctx,
              const Dims& d,
              const T* x,
              const T* gain,
              const T* stats,
              const T* dy,
              const Grad& dx,
              const Grad& dgain,
              const Grad& dbias) {
  const ArenaScope scope(*ctx.arena);
  const int64_t D = d.D;
  T* partials = cpu::column_partials<T>(ctx, d.live, d.N, 2 * D);  // dgain, then dbias
  T* to = data_or_null<T>(dx);
  const bool adds = dx.adds(), sums_gain = dgain.wanted(), sums_bias = dbias.wanted();
  cpu::for_each_sum_block(
      ctx, d.live, d.N, 2 * D, partials, [=](int m, int64_t begin, int64_t end, T* sums) {
        for (int64_t n = m * d.N + begin; n < m * d.N + end; ++n) {
          const T* row = x + n * D;
          const T* dy_row = dy + n * D;
          const RowStats<T> s{stats[2 * n], stats[2 * n + 1]};
          if (sums_gain) {
            cpu::write_row(sums, D, true, [=](int64_t i) {
              return dy_row[i] * ((row[i] - s.mean) * s.inv_std);
            });
          }
          if (sums_bias) {
            cpu::write_row(sums + D, D, true, [=](int64_t i) { return dy_row[i]; });
          }
          if (to) {
            row_dx(row, gain ? gain + m * D : nullptr, dy_row, s, D, to + n * D, adds);
          }
        }
      });
  cpu::put_column_sums(ctx, d.live, d.N, {2 * D, 0, D}, partials, dgain);
  cpu::put_column_sums(ctx, d.live, d.N, {2 * D, D, D}, partials, dbias);
}

Dims check(
    const Context& ctx, const Tensor& x, const Tensor& gain, const Tensor& y, const Tensor& stats) {
  const Dims d{x.dim(0), rows_per_model(x), x.dim(-1), ctx.model_count(x)};
  expect_shape(y.shape, x.shape, "y");
  expect_shape(stats.shape, {d.M, d.N, 2}, "stats");
  if (gain) {
    expect_shape(gain.shape, {d.M, d.D}, "gain");
  }
  return d;
}

}  // namespace

void layernorm(const Context& ctx,
               const Tensor& x,
               const Tensor& gain,
               const Tensor& bias,
               double eps,
               const Tensor& y,
               const Tensor& stats) {
  const Dims d = check(ctx, x, gain, y, stats);
  if (bias) {
    expect_shape(bias.shape, {d.M, d.D}, "bias");
  }
  if (ctx.device) {
    device::layernorm(ctx, x, gain, bias, eps, y, stats);
    return;
  }
  with_float(x.dtype, [&]<class T>() {
    forward(ctx,
            d,
            x.as<T>(),
            data_or_null<T>(gain),
            data_or_null<T>(bias),
            static_cast<T>(eps),
            y.as<T>(),
            stats.as<T>());
  });
}

void layernorm_vjp(const Context& ctx,
                   const Tensor& x,
                   const Tensor& gain,
                   const Tensor& stats,
                   const Tensor& dy,
                   const Grad& dx,
                   const Grad& dgain,
                   const Grad& dbias) {
  const Dims d = check(ctx, x, gain, dy, stats);
  expect_grad(dx, x.shape, "dx");
  expect_grad(dgain, {d.M, d.D}, "dgain");
  expect_grad(dbias, {d.M, d.D}, "dbias");
  if (ctx.device) {
    device::layernorm_vjp(ctx, x, gain, stats, dy, dx, dgain, dbias);
    return;
  }
  with_float(x.dtype, [&]<class T>() {
    backward(ctx, d, x.as<T>(), data_or_null<T>(gain), stats.as<T>(), dy.as<T>(), dx, dgain, dbias);
  });
}

}  // namespace sv::ops
