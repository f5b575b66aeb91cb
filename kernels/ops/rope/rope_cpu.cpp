#include "kernels/cpu/split.h"
#include "kernels/math/point.h"
#include "kernels/ops/arguments.h"
#include "kernels/ops/rope/rope.h"

namespace sv::ops {

namespace {

/// cos and sin of position t and pair i at [t * pairs + i].
template <class T>
struct Table {
  T* cosine;
  T* sine;
};

template <class T>
Table<T> make_table(Arena& arena, int64_t positions, int64_t pairs, double base, bool inverse) {
  const auto count = static_cast<size_t>(positions * pairs);
  const Table<T> table{arena.alloc_n<T>(count), arena.alloc_n<T>(count)};
  const double log_base = point::log_poly(base);
  for (int64_t i = 0; i < pairs; ++i) {
    const double frequency =
        point::exp_poly(-log_base * static_cast<double>(i) / static_cast<double>(pairs));
    for (int64_t t = 0; t < positions; ++t) {
      double sine = 0, cosine = 0;
      point::sine_cosine(static_cast<double>(t) * frequency, sine, cosine);
      table.cosine[t * pairs + i] = static_cast<T>(cosine);
      table.sine[t * pairs + i] = static_cast<T>(inverse ? -sine : sine);
    }
  }
  return table;
}

/// Rotates the pairs of one head of one row.
template <class T>
inline void rotate(const T* x, const T* cosine, const T* sine, int64_t pairs, T* y) {
#pragma omp simd
  for (int64_t i = 0; i < pairs; ++i) {
    const T a = x[i], b = x[i + pairs];
    y[i] = a * cosine[i] - b * sine[i];
    y[i + pairs] = b * cosine[i] + a * sine[i];
  }
}

}  // namespace

void rope(
    const Context& ctx, const Tensor& x, int heads, double base, bool inverse, const Tensor& y) {
  SV_CHECK(x.shape.rank() == 4, "rope needs x (M, B, T, H K), got ", x.shape);
  SV_CHECK(heads >= 1 && x.dim(-1) % heads == 0,
           x.dim(-1),
           " columns do not divide into ",
           heads,
           " heads");
  SV_CHECK(base > 0, "base = ", base);
  const int64_t K = x.dim(-1) / heads, positions = x.dim(2), D = x.dim(-1);
  SV_CHECK(
      K % 2 == 0, "rope pairs the two halves of a head, so the head width must be even; it is ", K);
  expect_shape(y.shape, x.shape, "y");
  const int64_t N = x.dim(1) * positions, pairs = K / 2;
  with_float(x.dtype, [&]<class T>() {
    const ArenaScope scope(*ctx.arena);
    const Table<T> table = make_table<T>(*ctx.arena, positions, pairs, base, inverse);
    const T* from = x.as<T>();
    T* to = y.as<T>();
    cpu::for_each_row_block(ctx, ctx.model_count(x), N, D, [=](int m, int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        const int64_t at = n % positions * pairs;
        for (int64_t head = (m * N + n) * heads; head < (m * N + n + 1) * heads; ++head) {
          rotate(from + head * K, table.cosine + at, table.sine + at, pairs, to + head * K);
        }
      }
    });
  });
}

}  // namespace sv::ops
