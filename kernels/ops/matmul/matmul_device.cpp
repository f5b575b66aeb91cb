#include "kernels/ops/matmul/matmul_device.h"

#include <algorithm>

#include "kernels/ops/column_sums_device.h"
#include "kernels/ops/matmul/matmul_body.h"

namespace sv::ops::device {

namespace {

using product::Order;
using product::ProductArgs;

// Places in a tile of 64 rows are ints (matmul_product.h).
constexpr int64_t kMostWidth = int64_t{1} << 24;

struct Dims {
  int64_t M, N, K, O;
};

Dims check(const Tensor& x, const Tensor& w, const char* op) {
  expect_device_f32(x, op);
  const int64_t M = x.dim(0), K = x.dim(-1), O = w.dim(1);
  SV_CHECK(
      K < kMostWidth && O < kMostWidth, op, " on a device takes widths below 2^24, got ", w.shape);
  return {M, M * K == 0 ? 0 : x.numel() / (M * K), K, O};
}

int64_t pieces(int64_t size, int64_t of) {
  return (size + of - 1) / of;
}

/// Whether 4 elements of t, whose lines have `extent` of them, can be moved at once.
bool by_four(const void* t, size_t element, int64_t extent) {
  return reinterpret_cast<uintptr_t>(t) % (4 * element) == 0 && extent % 4 == 0;
}

int64_t parts_of(const ProductArgs& a) {
  return a.partial ? pieces(a.depth, a.part) : 1;
}

/// Whether to take large tiles of a product in f32: where they are not mostly empty, and where the
/// tiles of the whole pack give every multiprocessor one. A single small model does not, and is cut
/// finer. The tile decides no bit, so that a model in a pack has those it has alone.
template <class Large>
bool fills(const ProductArgs& a, int models, int processors) {
  const int64_t tiles = pieces(a.R, Large::kRows) * pieces(a.C, Large::kColumns) * parts_of(a);
  return 2 * a.R > Large::kRows && 2 * a.C > Large::kColumns && tiles * models >= processors;
}

/// The kernels of one product.
template <class Large, class Small, class Tf32, class Bf16>
struct Kernels {
  template <class K>
  static void run(const Context& ctx, const ProductArgs& a, int models) {
    launch<K>(ctx,
              {.grid_x = static_cast<int>(pieces(a.R, K::kRows) * pieces(a.C, K::kColumns)),
               .grid_y = static_cast<int>(parts_of(a)),
               .grid_z = models,
               .block = K::kThreads,
               .shared_bytes = K::kSharedBytes},
              a);
  }
  static void choose(const Context& ctx, const ProductArgs& a, int models) {
    if (ctx.precision == Precision::tf32) {
      run<Tf32>(ctx, a, models);
    } else if (ctx.precision == Precision::bf16) {
      run<Bf16>(ctx, a, models);
    } else if (fills<Large>(a, models, ctx.device->processors())) {
      run<Large>(ctx, a, models);
    } else {
      run<Small>(ctx, a, models);
    }
  }
};
using Y = Kernels<MatmulY, MatmulYSmall, MatmulYTf32, MatmulYBf16>;
using YNarrow = Kernels<MatmulYNarrow, MatmulYNarrowSmall, MatmulYNarrowTf32, MatmulYNarrowBf16>;
using Dx = Kernels<MatmulDx, MatmulDxSmall, MatmulDxTf32, MatmulDxBf16>;
using DxNarrow =
    Kernels<MatmulDxNarrow, MatmulDxNarrowSmall, MatmulDxNarrowTf32, MatmulDxNarrowBf16>;
using Dw = Kernels<MatmulDw, MatmulDwSmall, MatmulDwTf32, MatmulDwBf16>;

/// Has the device's library compute the product (matmul_device.h, kLibraryExtent), a call for each
/// listed model; false where it is ours.
bool by_library(
    const Context& ctx, const ProductArgs& a, Order order_a, Order order_b, DType of_b) {
  const int64_t least = std::min({a.R, static_cast<int64_t>(a.C), a.depth});
  if (ctx.precision == Precision::f32 || of_b != DType::f32 || least < kLibraryExtent) {
    return false;
  }
  for (int i = 0; i < a.models.count; ++i) {
    const int64_t m = a.models.model(i);
    const LargeProduct p{.a = a.a + m * a.R * a.depth,
                         .b = static_cast<const float*>(a.b) + m * a.C * a.depth,
                         .bias = a.bias ? a.bias + m * a.C : nullptr,
                         .out = a.out + m * a.R * a.C,
                         .R = a.R,
                         .C = a.C,
                         .depth = a.depth,
                         .wide_a = order_a == Order::wide,
                         .wide_b = order_b == Order::wide,
                         .adds = a.adds,
                         .alignment = a.vector_a && a.vector_b && a.vector_out ? 16 : 4,
                         .precision = ctx.precision};
    if (!ctx.device->library_product(p)) {
      SV_CHECK(i == 0, "the device's library took model 0 of a product and left model ", i);
      return false;
    }
  }
  return true;
}

ProductArgs rows_args(const Context& ctx, const Dims& d, const Tensor& in, const Tensor& out) {
  ProductArgs a{};
  a.a = in.as<float>();
  a.out = out.as<float>();
  a.R = d.N;
  a.vector_a = by_four(in.data, sizeof(float), in.dim(-1));
  a.vector_out = by_four(out.data, sizeof(float), out.dim(-1));
  a.models = live_models(ctx, d.M);
  return a;
}

void write_dx(
    const Context& ctx, const Dims& d, const Tensor& w, const Tensor& dy, const Grad& dx) {
  ProductArgs a = rows_args(ctx, d, dy, dx.t);
  a.b = w.data;
  a.depth = d.O;
  a.C = static_cast<int>(d.K);
  a.part = static_cast<int>(d.O);
  a.adds = dx.adds();
  a.vector_b = by_four(w.data, dtype_size(w.dtype), d.K);
  if (by_library(ctx, a, Order::deep, Order::wide, w.dtype)) {
    return;
  }
  w.dtype == DType::bf16 ? DxNarrow::choose(ctx, a, a.models.count)
                         : Dx::choose(ctx, a, a.models.count);
}

/// dw through partial sums: as many models at a time as there is room for.
void write_parts(
    const Context& ctx, ProductArgs a, const Grad& dw, int64_t parts, int64_t most_elements) {
  const ArenaScope scope(*ctx.arena);
  const int64_t elements = a.R * a.C;
  const int64_t room = std::max<int64_t>(1, most_elements / (parts * elements));
  const int most = static_cast<int>(std::min<int64_t>(a.models.count, room));
  a.out = ctx.arena->alloc_n<float>(static_cast<size_t>(most * parts * elements));
  a.vector_out = by_four(a.out, sizeof(float), a.C);
  a.partial = true;
  a.adds = false;
  for (a.first = 0; a.first < a.models.count; a.first += most) {
    const int models = std::min(most, a.models.count - a.first);
    Dw::choose(ctx, a, models);
    const int64_t blocks = pieces(elements, MatmulDwSum::kThreads);
    launch<MatmulDwSum>(
        ctx,
        {.grid_x = static_cast<int>(blocks), .grid_y = models, .block = MatmulDwSum::kThreads},
        {a.out, dw.t.as<float>(), elements, static_cast<int>(parts), a.first, dw.adds(), a.models});
  }
}

void write_dw(const Context& ctx,
              const Dims& d,
              const Tensor& x,
              const Tensor& dy,
              const Grad& dw,
              int64_t most_elements) {
  ProductArgs a{};
  a.a = dy.as<float>();
  a.b = x.data;
  a.R = d.O;
  a.C = static_cast<int>(d.K);
  a.depth = d.N;
  a.part = static_cast<int>(rows_per_part(d.N));
  a.vector_a = by_four(dy.data, sizeof(float), d.O);
  a.vector_b = by_four(x.data, sizeof(float), d.K);
  a.models = live_models(ctx, d.M);
  a.out = dw.t.as<float>();
  a.adds = dw.adds();
  a.vector_out = by_four(a.out, sizeof(float), a.C);
  if (by_library(ctx, a, Order::wide, Order::wide, DType::f32)) {
    return;
  }
  const int64_t parts = pieces(d.N, a.part);
  parts > 1 ? write_parts(ctx, a, dw, parts, most_elements) : Dw::choose(ctx, a, a.models.count);
}

void write_dbias(const Context& ctx, const Dims& d, const Tensor& dy, const Grad& dbias) {
  const ArenaScope scope(*ctx.arena);
  const LiveModels models = live_models(ctx, d.M);
  const ColumnBlocks blocks = column_blocks(d.N, d.O);
  float* partial = alloc_partials(ctx, blocks, models.count, 1);
  launch<MatmulDbias>(
      ctx, partials_shape(blocks, models.count, 1), {dy.as<float>(), partial, blocks, models});
  put_column_sums(ctx, blocks, models, partial, 1, 0, dbias);
}

}  // namespace

void matmul(
    const Context& ctx, const Tensor& x, const Tensor& w, const Tensor& bias, const Tensor& y) {
  const Dims d = check(x, w, "matmul");
  ProductArgs a = rows_args(ctx, d, x, y);
  a.b = w.data;
  a.bias = bias ? bias.as<float>() : nullptr;
  a.depth = d.K;
  a.C = static_cast<int>(d.O);
  a.part = static_cast<int>(d.K);
  a.vector_b = by_four(w.data, dtype_size(w.dtype), d.K);
  if (by_library(ctx, a, Order::deep, Order::deep, w.dtype)) {
    return;
  }
  w.dtype == DType::bf16 ? YNarrow::choose(ctx, a, a.models.count)
                         : Y::choose(ctx, a, a.models.count);
}

void matmul_vjp(const Context& ctx,
                const Tensor& x,
                const Tensor& w,
                const Tensor& dy,
                const Grad& dx,
                const Grad& dw,
                const Grad& dbias,
                int64_t most_partial_elements) {
  const Dims d = check(x, w, "matmul_vjp");
  if (dx.wanted()) {
    write_dx(ctx, d, w, dy, dx);
  }
  if (dw.wanted()) {
    write_dw(ctx, d, x, dy, dw, most_partial_elements);
  }
  if (dbias.wanted()) {
    write_dbias(ctx, d, dy, dbias);
  }
}

}  // namespace sv::ops::device
