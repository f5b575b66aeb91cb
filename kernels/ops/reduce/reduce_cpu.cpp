#include <cmath>

#include "kernels/cpu/tree.h"
#include "kernels/cpu/write.h"
#include "kernels/ops/arguments.h"
#include "kernels/ops/reduce/reduce.h"
#include "kernels/ops/reduce/reduce_device.h"

namespace sv::ops {

namespace {

/// Square of a number, in double.
template <class T>
double square(T x) {
  const auto v = static_cast<double>(x);
  return v * v;
}

}  // namespace

void mean_positions(const Context& ctx, const Tensor& x, const Tensor& y) {
  SV_CHECK(x.shape.rank() == 4, "mean_positions needs x (M, B, T, D), got ", x.shape);
  const int64_t B = x.dim(1), positions = x.dim(2), D = x.dim(3);
  expect_shape(y.shape, {x.dim(0), B, D}, "y");
  if (ctx.device) {
    device::mean_positions(ctx, x, y);
    return;
  }
  with_float(x.dtype, [&]<class T>() {
    const T* from = x.as<T>();
    T* to = y.as<T>();
    const T share = T{1} / static_cast<T>(positions);
    cpu::for_each_row_block(
        ctx, ctx.model_count(x), B, positions * D, [=](int m, int64_t begin, int64_t end) {
          for (int64_t b = m * B + begin; b < m * B + end; ++b) {
            T* mean = to + b * D;
            std::fill(mean, mean + D, T{0});
            for (int64_t t = 0; t < positions; ++t) {
              const T* row = from + (b * positions + t) * D;
              cpu::write_row(mean, D, true, [=](int64_t i) { return row[i]; });
            }
            cpu::write_row(mean, D, false, [=](int64_t i) { return mean[i] * share; });
          }
        });
  });
}

void mean_positions_vjp(const Context& ctx, const Tensor& dy, const Grad& dx) {
  if (!dx.wanted()) {
    return;
  }
  const Tensor& to = dx.t;
  SV_CHECK(to.shape.rank() == 4, "dx must be (M, B, T, D), got ", to.shape);
  const int64_t B = to.dim(1), positions = to.dim(2), D = to.dim(3);
  expect_shape(dy.shape, {to.dim(0), B, D}, "dy");
  if (ctx.device) {
    device::mean_positions_vjp(ctx, dy, dx);
    return;
  }
  with_float(dy.dtype, [&]<class T>() {
    const T* from = dy.as<T>();
    T* rows = to.as<T>();
    const T share = T{1} / static_cast<T>(positions);
    const bool adds = dx.adds();
    cpu::for_each_row_block(
        ctx, ctx.model_count(dy), B, positions * D, [=](int m, int64_t begin, int64_t end) {
          for (int64_t row = (m * B + begin) * positions; row < (m * B + end) * positions; ++row) {
            const T* d = from + row / positions * D;
            cpu::write_row(rows + row * D, D, adds, [=](int64_t i) { return d[i] * share; });
          }
        });
  });
}

void change(const Context& ctx, const Tensor& h, const Tensor& h_prev, const Tensor& out) {
  SV_CHECK(h.shape.rank() >= 2, "change needs h (M, B, ...), got ", h.shape);
  expect_shape(h_prev.shape, h.shape, "h_prev");
  const int64_t M = h.dim(0), B = h.dim(1), size = M * B == 0 ? 0 : h.numel() / (M * B);
  expect_shape(out.shape, {M, B}, "out");
  if (ctx.device) {
    device::change(ctx, h, h_prev, out);
    return;
  }
  with_float(h.dtype, [&]<class T>() {
    const T *now = h.as<T>(), *before = h_prev.as<T>();
    T* to = out.as<T>();
    cpu::for_each_row_block(
        ctx, ctx.model_count(h), B, size, [=](int m, int64_t begin, int64_t end) {
          for (int64_t b = m * B + begin; b < m * B + end; ++b) {
            const T *x = now + b * size, *y = before + b * size;
            const double moved = cpu::block_sum(size, [=](int64_t i) {
              return square(static_cast<double>(x[i]) - static_cast<double>(y[i]));
            });
            const double length = cpu::block_sum(size, [=](int64_t i) { return square(x[i]); });
            to[b] = moved == 0 ? T{0} : static_cast<T>(std::sqrt(moved) / std::sqrt(length));
          }
        });
  });
}

void sum_squares(const Context& ctx, const Tensor& x, const Tensor& out) {
  const int64_t M = x.dim(0), size = M == 0 ? 0 : x.numel() / M;
  const int live = ctx.model_count(x);
  expect_shape(out.shape, {M}, "out");
  if (ctx.device) {
    device::sum_squares(ctx, x, out);
    return;
  }
  const int64_t blocks = (size + cpu::kBlock - 1) / cpu::kBlock;
  const ArenaScope scope(*ctx.arena);
  double* sums = ctx.arena->alloc_n<double>(static_cast<size_t>(live * blocks));
  with_float(x.dtype, [&]<class T>() {
    const T* from = x.as<T>();
    cpu::for_each_item(ctx, live * blocks, live * size, [&, from](int64_t item) {
      const int64_t first = item % blocks * cpu::kBlock;
      const T* p = from + ctx.model(static_cast<int>(item / blocks)) * size + first;
      sums[item] = cpu::lane_sum(std::min(cpu::kBlock, size - first),
                                 [p](int64_t i) { return square(p[i]); });
    });
  });
  for (int i = 0; i < live; ++i) {
    out.as<double>()[ctx.model(i)] =
        cpu::tree_sum(i * blocks, blocks, [=](int64_t b) { return sums[b]; });
  }
}

void all_finite(const Context& ctx, const Tensor& x, const Tensor& out) {
  const int64_t M = x.dim(0), size = M == 0 ? 0 : x.numel() / M;
  const int live = ctx.model_count(x);
  expect_shape(out.shape, {M}, "out");
  if (ctx.device) {
    device::all_finite(ctx, x, out);
    return;
  }
  const int64_t blocks = (size + cpu::kBlock - 1) / cpu::kBlock;
  const ArenaScope scope(*ctx.arena);
  int32_t* bad = ctx.arena->alloc_n<int32_t>(static_cast<size_t>(live * blocks));
  with_float(x.dtype, [&]<class T>() {
    const T* from = x.as<T>();
    cpu::for_each_item(ctx, live * blocks, live * size, [&, from](int64_t item) {
      const int64_t first = item % blocks * cpu::kBlock;
      const T* p = from + ctx.model(static_cast<int>(item / blocks)) * size + first;
      int32_t found = 0;
      for (int64_t i = 0; i < std::min(cpu::kBlock, size - first); ++i) {
        found |= p[i] - p[i] == T{0} ? 0 : 1;  // inf - inf and NaN - NaN are NaN
      }
      bad[item] = found;
    });
  });
  for (int i = 0; i < live; ++i) {
    int32_t found = 0;
    for (int64_t b = i * blocks; b < (i + 1) * blocks; ++b) {
      found |= bad[b];
    }
    out.as<int32_t>()[ctx.model(i)] = 1 - found;
  }
}

}  // namespace sv::ops
