#include <vector>

#include "kernels/cpu/split.h"
#include "kernels/math/point.h"
#include "kernels/ops/arguments.h"
#include "kernels/ops/rope/rope.h"

namespace sv::ops {

namespace {

/// cos and sin of position t and pair i at [t * pairs + i]. Each thread keeps the last one: the
/// loop asks for the same angles at every update, and they cost more than the rotation.
template <class T>
struct Table {
  int64_t positions = 0, pairs = 0;
  double base = 0;
  std::vector<T> cosine, sine;

  void fill(int64_t count, int64_t width, double b) {
    if (positions == count && pairs == width && base == b) {
      return;
    }
    positions = count, pairs = width, base = b;
    cosine.resize(static_cast<size_t>(count * width));
    sine.resize(cosine.size());
    const double log_base = point::log_poly(b);
    for (int64_t i = 0; i < width; ++i) {
      const double frequency =
          point::exp_poly(-log_base * static_cast<double>(i) / static_cast<double>(width));
      for (int64_t t = 0; t < count; ++t) {
        double s = 0, c = 0;
        point::sine_cosine(static_cast<double>(t) * frequency, s, c);
        cosine[static_cast<size_t>(t * width + i)] = static_cast<T>(c);
        sine[static_cast<size_t>(t * width + i)] = static_cast<T>(s);
      }
    }
  }
};

template <class T>
const Table<T>& table_of(int64_t positions, int64_t pairs, double base) {
  thread_local Table<T> table;
  table.fill(positions, pairs, base);
  return table;
}

/// Rotates the pairs of one head of one row; `turn` is 1 or, for the inverse, -1.
template <class T>
inline void rotate(const T* x, const T* cosine, const T* sine, T turn, int64_t pairs, T* y) {
#pragma omp simd
  for (int64_t i = 0; i < pairs; ++i) {
    const T a = x[i], b = x[i + pairs], s = turn * sine[i];
    y[i] = a * cosine[i] - b * s;
    y[i + pairs] = b * cosine[i] + a * s;
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
    const Table<T>& table = table_of<T>(positions, pairs, base);
    const T *cosine = table.cosine.data(), *sine = table.sine.data();
    const T turn = inverse ? T{-1} : T{1};
    const T* from = x.as<T>();
    T* to = y.as<T>();
    cpu::for_each_row_block(ctx, ctx.model_count(x), N, D, [=](int m, int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        const int64_t at = n % positions * pairs;
        for (int64_t head = (m * N + n) * heads; head < (m * N + n + 1) * heads; ++head) {
          rotate(from + head * K, cosine + at, sine + at, turn, pairs, to + head * K);
        }
      }
    });
  });
}

}  // namespace sv::ops
