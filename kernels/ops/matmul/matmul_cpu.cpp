// Linear map on the packed-panel kernels: y and dx split over blocks of rows, dw over blocks of its
// own elements.
#include "kernels/cpu/gemm.h"
#include "kernels/cpu/write.h"
#include "kernels/ops/matmul/matmul.h"
#include "kernels/ops/matmul/matmul_device.h"

namespace sv::ops {

namespace {

using cpu::View;

// One core does about this much in the time that opening a parallel region costs.
constexpr double kSerialFlops = 2e6;
// Rows of x and dy that one step of dw takes: a packed panel of 256 x 16 floats is half of L1.
constexpr int64_t kRowsPerStep = 256;

struct Dims {
  int64_t M, N, K, O;
  int live;  // models computed
  int threads;
};

Dims check(const Context& ctx, const Tensor& x, const Tensor& w, const Tensor& y) {
  SV_CHECK(x.shape.rank() >= 2, "matmul needs x (M, ..., K), got ", x.shape);
  SV_CHECK_EQ(w.shape.rank(), 3, "matmul needs w (M, O, K), got ", w.shape);
  const int64_t M = x.dim(0), K = x.dim(-1), O = w.dim(1);
  expect_shape(w.shape, {M, O, K}, "w");
  expect_shape(y.shape, x.shape.with(-1, O), "y");
  const bool narrow = w.dtype == DType::bf16 && x.dtype == DType::f32;
  SV_CHECK((w.dtype == x.dtype || narrow) && y.dtype == x.dtype, "x, w and y differ in dtype");
  const int64_t N = M * K == 0 ? 0 : x.numel() / (M * K);
  SV_CHECK(ctx.device || ctx.precision == Precision::f32,
           "matmul on the CPU computes in f32: tf32 and bf16 products need a device");
  const int live = ctx.model_count(x);
  const double flops = 2.0 * live * static_cast<double>(N * K * O);
  return {M, N, K, O, live, flops < kSerialFlops ? 1 : ctx.threads};
}

/// How a product reads w (M, O, K) as b (k, n): through strides of its elements.
struct Reading {
  const Tensor& w;
  int64_t row, col;
};

/// One product of all rows: out (M, N, n) (+)= in (M, N, k) b.
template <class T>
struct Rows {
  const T* in;
  int64_t k;
  Reading b;
  int64_t n;
  const T* bias;  // (M, n) or null
  T* out;
  bool adds;
  const Tensor& panels;  // of b, (M, elements), or empty
};

/// Panels of b (k, n) of the live models into `packed`, one model after the other.
template <class T>
void pack_models(
    const Context& ctx, int live, const Reading& b, int64_t k, int64_t n, T* packed, int threads) {
  const cpu::Gemm<T> gemm;
  const int64_t panels = gemm.panels(n), size = gemm.packed_size(k, n);
  const auto pack = [&]<class S>(const S* w) {
    cpu::for_each_task(threads, live * panels, [&](int64_t item, int) {
      const int64_t m = ctx.model(static_cast<int>(item / panels)), p = item % panels;
      gemm.pack(View<S>{w + m * k * n, b.row, b.col}, k, n, p, p + 1, packed + m * size);
    });
  };
  if (b.w.dtype == DType::bf16) {
    pack(b.w.as<bf16>());
  } else {
    pack(b.w.as<T>());
  }
}

/// The panels the caller has, or ones packed here.
template <class T>
const T* packed_of(const Context& ctx, const Dims& d, const Rows<T>& r, int64_t size) {
  if (const Tensor& given = r.panels; given) {
    SV_CHECK_EQ(given.numel(), d.M * size, "panels of another matrix");
    return given.as<T>();
  }
  T* own = ctx.arena->alloc_n<T>(static_cast<size_t>(size * d.M));
  pack_models(ctx, d.live, r.b, r.k, r.n, own, d.threads);
  return own;
}

/// An item is (model, block of rows), and where there are too few of them for the threads also a
/// part of the columns: whole panels, which share nothing.
template <class T>
void multiply_rows(const Context& ctx, const Dims& d, const Rows<T>& r) {
  const ArenaScope scope(*ctx.arena);
  const cpu::Gemm<T> gemm;
  const int64_t size = gemm.packed_size(r.k, r.n);
  const T* packed = packed_of(ctx, d, r, size);
  const int64_t block = gemm.row_block(), blocks = (d.N + block - 1) / block;
  const int64_t panels = gemm.panels(r.n), items = d.live * blocks;
  const int64_t parts = items >= d.threads ? 1 : std::min<int64_t>(panels, d.threads);
  cpu::for_each_task(d.threads, items * parts, [&](int64_t task, int) {
    const int64_t item = task / parts, part = task % parts;
    const int64_t j = panels * part / parts * gemm.panel_width();
    const int64_t end = std::min(r.n, panels * (part + 1) / parts * gemm.panel_width());
    const int64_t m = ctx.model(static_cast<int>(item / blocks)), begin = item % blocks * block;
    const int64_t row = m * d.N + begin, rows = std::min(block, d.N - begin);
    T* out = r.out + row * r.n + j;
    const T* b = packed + m * size + j * r.k;
    gemm.run({r.in + row * r.k, r.k, 1}, rows, r.k, end - j, b, out, r.n, r.adds);
    for (int64_t i = 0; r.bias && i < rows; ++i) {
      const T* bias = r.bias + m * r.n + j;
      cpu::write_row(out + i * r.n, end - j, true, [=](int64_t c) { return bias[c]; });
    }
  });
}

/// dw: an item is (model, panel of its columns) and walks over all N rows in order; a panel of x is
/// packed once for all O rows of dw.
template <class T>
void multiply_weight(const Context& ctx, const Dims& d, const T* x, const T* dy, const Grad& dw) {
  const ArenaScope scope(*ctx.arena);
  const cpu::Gemm<T> gemm;
  const int64_t width = gemm.panel_width(), panels = gemm.panels(d.K);
  const int64_t packed_size = gemm.packed_size(kRowsPerStep, width);
  T* packed = ctx.arena->alloc_n<T>(static_cast<size_t>(packed_size * d.threads));
  T* out = dw.t.as<T>();
  cpu::for_each_task(d.threads, d.live * panels, [&](int64_t item, int thread) {
    T* mine = packed + thread * packed_size;
    const int64_t m = ctx.model(static_cast<int>(item / panels)), j = item % panels * width;
    const int64_t columns = std::min(width, d.K - j);
    // n = 0 still runs one empty step: it must write the zeros.
    for (int64_t n = 0; n == 0 || n < d.N; n += kRowsPerStep) {
      const int64_t depth = std::min(kRowsPerStep, d.N - n), row = m * d.N + n;
      gemm.pack({x + row * d.K + j, d.K, 1}, depth, columns, mine);
      T* to = out + m * d.O * d.K + j;
      gemm.run({dy + row * d.O, 1, d.O}, d.O, depth, columns, mine, to, d.K, dw.adds() || n > 0);
    }
  });
}

template <class T>
void sum_bias(const Context& ctx, const Dims& d, const T* dy, const Grad& dbias) {
  const ArenaScope scope(*ctx.arena);
  T* partials = cpu::column_partials<T>(ctx, d.live, d.N, d.O);
  cpu::for_each_sum_block(
      ctx, d.live, d.N, d.O, partials, [&](int m, int64_t begin, int64_t end, T* total) {
        for (int64_t n = begin; n < end; ++n) {
          const T* row = dy + (m * d.N + n) * d.O;
          cpu::write_row(total, d.O, true, [=](int64_t o) { return row[o]; });
        }
      });
  cpu::put_column_sums(ctx, d.live, d.N, d.O, partials, dbias);
}

}  // namespace

int64_t panel_elements_y(DType dtype, int64_t O, int64_t K) {
  return with_float(dtype, [&]<class T>() { return cpu::Gemm<T>().packed_size(K, O); });
}

int64_t panel_elements_dx(DType dtype, int64_t O, int64_t K) {
  return with_float(dtype, [&]<class T>() { return cpu::Gemm<T>().packed_size(O, K); });
}

void pack_panels(const Context& ctx, const Tensor& w, const Panels& out) {
  SV_CHECK(!ctx.device, "panels are the CPU's: products on a device read w as it is");
  SV_CHECK_EQ(w.shape.rank(), 3, "panels are of w (M, O, K), got ", w.shape);
  const int64_t M = w.dim(0), O = w.dim(1), K = w.dim(2);
  expect_shape(out.y.shape, {M, panel_elements_y(out.y.dtype, O, K)}, "y panels");
  expect_shape(out.dx.shape, {M, panel_elements_dx(out.y.dtype, O, K)}, "dx panels");
  const int live = ctx.model_count(w);
  const int threads = live * O * K < cpu::kSerialElements ? 1 : ctx.threads;
  with_float(out.y.dtype, [&]<class T>() {
    pack_models<T>(ctx, live, {w, 1, K}, K, O, out.y.as<T>(), threads);
    pack_models<T>(ctx, live, {w, K, 1}, O, K, out.dx.as<T>(), threads);
  });
}

void matmul(const Context& ctx,
            const Tensor& x,
            const Tensor& w,
            const Tensor& bias,
            const Tensor& y,
            const Panels& panels) {
  const Dims d = check(ctx, x, w, y);
  if (bias) {
    expect_shape(bias.shape, {d.M, d.O}, "bias");
  }
  if (ctx.device) {
    SV_CHECK(!panels.y, "products on a device take no panels");
    device::matmul(ctx, x, w, bias, y);
    return;
  }
  with_float(x.dtype, [&]<class T>() {
    const T* add = bias ? bias.as<T>() : nullptr;
    multiply_rows<T>(ctx, d, {x.as<T>(), d.K, {w, 1, d.K}, d.O, add, y.as<T>(), false, panels.y});
  });
}

void matmul_vjp(const Context& ctx,
                const Tensor& x,
                const Tensor& w,
                const Tensor& dy,
                const Grad& dx,
                const Grad& dw,
                const Grad& dbias,
                const Panels& panels) {
  const Dims d = check(ctx, x, w, dy);
  if (dx.wanted()) {
    expect_shape(dx.t.shape, x.shape, "dx");
  }
  if (dw.wanted()) {
    expect_shape(dw.t.shape, w.shape, "dw");
    SV_CHECK(w.dtype == x.dtype, "weights in bf16 are for inference: they have no gradient");
  }
  if (dbias.wanted()) {
    expect_shape(dbias.t.shape, {d.M, d.O}, "dbias");
  }
  if (ctx.device) {
    SV_CHECK(!panels.dx, "products on a device take no panels");
    device::matmul_vjp(ctx, x, w, dy, dx, dw, dbias);
    return;
  }
  with_float(x.dtype, [&]<class T>() {
    if (dx.wanted()) {
      multiply_rows<T>(
          ctx, d, {dy.as<T>(), d.O, {w, d.K, 1}, d.K, nullptr, dx.t.as<T>(), dx.adds(), panels.dx});
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
