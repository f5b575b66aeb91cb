#include "kernels/ops/unfold/unfold.h"

#include "kernels/cpu/write.h"
#include "kernels/ops/arguments.h"
#include "kernels/ops/unfold/unfold_device.h"

namespace sv::ops {

namespace {

/// x (M, B, positions, D) and y (M, B, positions, K D).
void check(const Shape& x, const PatchGrid& g, const Shape& y) {
  SV_CHECK(x.rank() == 4, "unfold needs x (M, B, T, D), got ", x);
  SV_CHECK(g.kernel > 0 && g.kernel % 2 == 1,
           "unfold needs an odd kernel, so that a patch has a centre; it is ",
           g.kernel,
           ", the next is ",
           g.kernel < 1 ? 1 : g.kernel + 1);
  SV_CHECK(g.height > 0 && g.width > 0 && int64_t{g.height} * g.width == x[2],
           "unfold: a grid of ",
           g.height,
           " x ",
           g.width,
           " does not have the ",
           x[2],
           " positions of x");
  expect_shape(y, x.with(3, g.taps() * x[3]), "y");
}

/// One row of y: the taps of one grid row are neighbours in x, and so in y.
template <class T>
void gather_patch(const PatchGrid& g, const T* x, int64_t D, int position, T* y) {
  const int pad = g.kernel / 2, r = position / g.width, c = position % g.width;
  const int left = std::max(0, pad - c), right = std::min(g.kernel, g.width + pad - c);
  for (int i = 0; i < g.rows(); ++i, y += g.kernel * D) {
    const int row = r + i - g.rows() / 2;
    if (row < 0 || row >= g.height) {
      std::fill(y, y + g.kernel * D, T{0});
      continue;
    }
    const T* from = x + (row * g.width + c - pad + left) * D;
    std::fill(y, y + left * D, T{0});
    cpu::write_row(y + left * D, (right - left) * D, false, [=](int64_t k) { return from[k]; });
    std::fill(y + right * D, y + g.kernel * D, T{0});
  }
}

}  // namespace

void unfold(const Context& ctx, const Tensor& x, const PatchGrid& g, const Tensor& y) {
  check(x.shape, g, y.shape);
  if (ctx.device) {
    device::unfold(ctx, x, g, y);
    return;
  }
  const int64_t N = x.dim(1) * x.dim(2), D = x.dim(3), width = y.dim(3), positions = x.dim(2);
  with_float(x.dtype, [&]<class T>() {
    const T* from = x.as<T>();
    T* to = y.as<T>();
    cpu::for_each_row_block(
        ctx, ctx.model_count(x), N, width, [=](int m, int64_t begin, int64_t end) {
          for (int64_t n = m * N + begin; n < m * N + end; ++n) {
            const auto position = static_cast<int>(n % positions);
            gather_patch(g, from + (n - position) * D, D, position, to + n * width);
          }
        });
  });
}

void unfold_vjp(const Context& ctx, const Tensor& dy, const PatchGrid& g, const Grad& dx) {
  if (!dx.wanted()) {
    return;
  }
  check(dx.t.shape, g, dy.shape);
  if (ctx.device) {
    device::unfold_vjp(ctx, dy, g, dx);
    return;
  }
  const int64_t N = dy.dim(1) * dy.dim(2), D = dx.t.dim(3), positions = dy.dim(2);
  const int64_t width = dy.dim(3);
  const bool adds = dx.adds();
  with_float(dy.dtype, [&]<class T>() {
    const T* from = dy.as<T>();
    T* to = dx.t.as<T>();
    cpu::for_each_row_block(
        ctx, ctx.model_count(dy), N, width, [=](int m, int64_t begin, int64_t end) {
          for (int64_t n = m * N + begin; n < m * N + end; ++n) {
            const auto position = static_cast<int>(n % positions);
            T* row = to + n * D;
            if (!adds) {
              std::fill(row, row + D, T{0});
            }
            for (int tap = 0; tap < g.taps(); ++tap) {
              const int q = g.neighbour(position, tap, -1);
              if (q >= 0) {
                const T* d = from + (n - position + q) * width + tap * D;
                cpu::write_row(row, D, true, [=](int64_t i) { return d[i]; });
              }
            }
          }
        });
  });
}

}  // namespace sv::ops
