#include "kernels/ops/transpose/transpose.h"

#include "kernels/cpu/write.h"
#include "kernels/ops/arguments.h"

namespace sv::ops {

namespace {

// Floats of a cache line: a tile reads and writes whole lines of either side.
constexpr int64_t kTile = 16;

/// y (D, T), rows [first, last), from x (T, D), written or added.
template <class T>
void transpose_rows(
    const T* x, int64_t positions, int64_t D, int64_t first, int64_t last, bool adds, T* y) {
  for (int64_t d0 = first; d0 < last; d0 += kTile) {
    for (int64_t t0 = 0; t0 < positions; t0 += kTile) {
      const int64_t n = std::min(kTile, positions - t0);
      for (int64_t d = d0; d < std::min(last, d0 + kTile); ++d) {
        const T* column = x + t0 * D + d;
        cpu::write_row(y + d * positions + t0, n, adds, [=](int64_t i) { return column[i * D]; });
      }
    }
  }
}

void transpose_into(const Context& ctx, const Tensor& x, const Grad& y) {
  const int64_t positions = x.dim(-2), D = x.dim(-1), matrix = positions * D;
  const int64_t matrices = matrix == 0 ? 0 : x.numel() / (x.dim(0) * matrix);
  const bool adds = y.adds();
  with_float(x.dtype, [&]<class T>() {
    const T* from = x.as<T>();
    T* to = y.t.as<T>();
    // Items are stretches of rows of y, which may span matrices.
    cpu::for_each_row_block(
        ctx, ctx.model_count(x), matrices * D, positions, [=](int m, int64_t begin, int64_t end) {
          while (begin < end) {
            const int64_t b = begin / D, last = std::min(end, (b + 1) * D);
            const int64_t at = (m * matrices + b) * matrix;
            transpose_rows(from + at, positions, D, begin - b * D, last - b * D, adds, to + at);
            begin = last;
          }
        });
  });
}

Shape transposed(const Shape& x) {
  SV_CHECK(x.rank() >= 3, "transpose needs (M, ..., T, D), got ", x);
  return x.with(-2, x[-1]).with(-1, x[-2]);
}

}  // namespace

void transpose(const Context& ctx, const Tensor& x, const Tensor& y) {
  expect_no_device(ctx, "transpose");
  expect_shape(y.shape, transposed(x.shape), "y");
  transpose_into(ctx, x, {y, GradientMode::overwrite});
}

void transpose_vjp(const Context& ctx, const Tensor& dy, const Grad& dx) {
  expect_no_device(ctx, "transpose");
  expect_grad(dx, transposed(dy.shape), "dx");
  if (dx.wanted()) {
    transpose_into(ctx, dy, dx);
  }
}

}  // namespace sv::ops
