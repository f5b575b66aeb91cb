#include "kernels/ops/grouped_matmul/grouped_matmul.h"

#include "kernels/cpu/gemm.h"
#include "kernels/cpu/write.h"
#include "kernels/ops/arguments.h"

namespace sv::ops {

namespace {

// One core does about this much in the time that opening a parallel region costs.
constexpr double kSerialFlops = 2e6;
// Rows that one step of dw takes, as in ops/matmul.
constexpr int64_t kRowsPerStep = 256;

struct Dims {
  int64_t M, N, G, I, O;
  int live, threads;
};

Dims check(const Context& ctx, const Tensor& x, const Tensor& w, const Tensor& y) {
  expect_no_device(ctx, "grouped_matmul");
  SV_CHECK(x.shape.rank() >= 3, "grouped_matmul needs x (M, ..., G, I), got ", x.shape);
  SV_CHECK_EQ(w.shape.rank(), 4, "grouped_matmul needs w (M, G, O, I), got ", w.shape);
  const int64_t M = x.dim(0), G = x.dim(-2), I = x.dim(-1), O = w.dim(2);
  expect_shape(w.shape, {M, G, O, I}, "w");
  expect_shape(y.shape, x.shape.with(-1, O), "y");
  SV_CHECK(w.dtype == x.dtype && y.dtype == x.dtype, "x, w and y differ in dtype");
  const int64_t N = M * G * I == 0 ? 0 : x.numel() / (M * G * I);
  const int live = ctx.model_count(x);
  const double flops = 2.0 * live * static_cast<double>(N * G * I * O);
  return {M, N, G, I, O, live, flops < kSerialFlops ? 1 : ctx.threads};
}

/// Calls f(m, g, scratch) for every group of the live models, `size` elements of scratch being the
/// calling thread's.
template <class T, class F>
void each_group(const Context& ctx, const Dims& d, int64_t size, F&& f) {
  const ArenaScope scope(*ctx.arena);
  const int64_t apart = (size + 15) / 16 * 16;  // whole cache lines
  T* scratch = ctx.arena->alloc_n<T>(static_cast<size_t>(apart * d.threads));
  cpu::for_each_task(d.threads, d.live * d.G, [&](int64_t item, int thread) {
    f(ctx.model(static_cast<int>(item / d.G)), item % d.G, scratch + thread * apart);
  });
}

/// out (M, N, G, n) (=|+=) in (M, N, G, k) b, where b (k, n) of a group is w read through strides.
template <class T>
struct Product {
  const T* in;
  int64_t k;
  const T* w;
  int64_t row, col;
  int64_t n;
  const T* bias;  // (M, G, n) or null
  T* out;
  bool adds;
};

template <class T>
void multiply_rows(const Context& ctx, const Dims& d, const Product<T>& p) {
  const cpu::Gemm<T> gemm;
  const int64_t apart = d.G * p.n;
  each_group<T>(ctx, d, gemm.packed_size(p.k, p.n), [&](int64_t m, int64_t g, T* packed) {
    const int64_t group = m * d.G + g, row = m * d.N * d.G + g;
    gemm.pack({p.w + group * p.k * p.n, p.row, p.col}, p.k, p.n, packed);
    T* out = p.out + row * p.n;
    gemm.run({p.in + row * p.k, d.G * p.k, 1}, d.N, p.k, p.n, packed, out, apart, p.adds);
    for (int64_t n = 0; p.bias && n < d.N; ++n) {
      const T* bias = p.bias + group * p.n;
      cpu::write_row(out + n * apart, p.n, true, [=](int64_t o) { return bias[o]; });
    }
  });
}

template <class T>
void multiply_weight(const Context& ctx, const Dims& d, const T* x, const T* dy, const Grad& dw) {
  const cpu::Gemm<T> gemm;
  T* out = dw.t.as<T>();
  each_group<T>(ctx, d, gemm.packed_size(kRowsPerStep, d.I), [&](int64_t m, int64_t g, T* packed) {
    T* to = out + (m * d.G + g) * d.O * d.I;
    // n = 0 still runs one empty step: it must write the zeros.
    for (int64_t n = 0; n == 0 || n < d.N; n += kRowsPerStep) {
      const int64_t depth = std::min(kRowsPerStep, d.N - n), row = (m * d.N + n) * d.G + g;
      gemm.pack({x + row * d.I, d.G * d.I, 1}, depth, d.I, packed);
      gemm.run(
          {dy + row * d.O, 1, d.G * d.O}, d.O, depth, d.I, packed, to, d.I, dw.adds() || n > 0);
    }
  });
}

/// dbias (M, G O): column sums of dy (M, N, G O).
template <class T>
void sum_bias(const Context& ctx, const Dims& d, const T* dy, const Grad& dbias) {
  const ArenaScope scope(*ctx.arena);
  const int64_t columns = d.G * d.O;
  T* partials = cpu::column_partials<T>(ctx, d.live, d.N, columns);
  cpu::for_each_sum_block(
      ctx, d.live, d.N, columns, partials, [&](int m, int64_t begin, int64_t end, T* total) {
        for (int64_t n = begin; n < end; ++n) {
          const T* row = dy + (m * d.N + n) * columns;
          cpu::write_row(total, columns, true, [=](int64_t i) { return row[i]; });
        }
      });
  cpu::put_column_sums(ctx, d.live, d.N, columns, partials, dbias);
}

}  // namespace

void grouped_matmul(
    const Context& ctx, const Tensor& x, const Tensor& w, const Tensor& bias, const Tensor& y) {
  const Dims d = check(ctx, x, w, y);
  if (bias) {
    expect_shape(bias.shape, {d.M, d.G, d.O}, "bias");
  }
  with_float(x.dtype, [&]<class T>() {
    multiply_rows<T>(
        ctx, d, {x.as<T>(), d.I, w.as<T>(), 1, d.I, d.O, data_or_null<T>(bias), y.as<T>(), false});
  });
}

void grouped_matmul_vjp(const Context& ctx,
                        const Tensor& x,
                        const Tensor& w,
                        const Tensor& dy,
                        const Grad& dx,
                        const Grad& dw,
                        const Grad& dbias) {
  const Dims d = check(ctx, x, w, dy);
  expect_grad(dx, x.shape, "dx");
  expect_grad(dw, w.shape, "dw");
  expect_grad(dbias, {d.M, d.G, d.O}, "dbias");
  with_float(x.dtype, [&]<class T>() {
    if (dx.wanted()) {
      multiply_rows<T>(
          ctx, d, {dy.as<T>(), d.O, w.as<T>(), d.I, 1, d.I, nullptr, dx.t.as<T>(), dx.adds()});
    }
    if (dw.wanted()) {
      multiply_weight<T>(ctx, d, x.as<T>(), dy.as<T>(), dw);
    }
    if (dbias.wanted()) {
      sum_bias<T>(ctx, d, dy.as<T>(), dbias);
    }
  });
}

}  // namespace sv::ops
