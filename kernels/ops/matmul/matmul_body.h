// Kernels of matmul: the products y, dx and dw in f32 (large and small tiles) and on tensor cores
// (tf32, bf16), with w in f32 or in bf16 (narrow); the second stage of dw over many rows; dbias.
#pragma once
#include "kernels/ops/column_sums_body.h"
#include "kernels/ops/matmul/matmul_fma.h"
#include "kernels/ops/matmul/matmul_mma.h"

namespace sv::ops {

namespace product {

// y (N, O): rows of x and of w, both deep in K.
template <class S, class Shape>
using FmaY = FmaProduct<Order::deep, Order::deep, S, Shape>;
template <class S, class Warp>
using MmaY = MmaProduct<Warp, Order::deep, Order::deep, S>;
// dx (N, K): rows of dy, deep in O; w is wide there.
template <class S, class Shape>
using FmaDx = FmaProduct<Order::deep, Order::wide, S, Shape>;
template <class S, class Warp>
using MmaDx = MmaProduct<Warp, Order::deep, Order::wide, S>;
// dw (O, K): dy and x, both wide in N.
template <class Shape>
using FmaDw = FmaProduct<Order::wide, Order::wide, float, Shape>;
template <class Warp>
using MmaDw = MmaProduct<Warp, Order::wide, Order::wide, float>;

}  // namespace product

struct MatmulY : product::FmaY<float, product::LargeTile> {
  static constexpr const char* kName = "matmul_y";
};
struct MatmulYSmall : product::FmaY<float, product::SmallTile> {
  static constexpr const char* kName = "matmul_y_small";
};
struct MatmulYTf32 : product::MmaY<float, product::Tf32Warp> {
  static constexpr const char* kName = "matmul_y_tf32";
};
struct MatmulYBf16 : product::MmaY<float, product::Bf16Warp> {
  static constexpr const char* kName = "matmul_y_bf16";
};
struct MatmulYNarrow : product::FmaY<product::Narrow, product::LargeTile> {
  static constexpr const char* kName = "matmul_y_narrow";
};
struct MatmulYNarrowSmall : product::FmaY<product::Narrow, product::SmallTile> {
  static constexpr const char* kName = "matmul_y_narrow_small";
};
struct MatmulYNarrowTf32 : product::MmaY<product::Narrow, product::Tf32Warp> {
  static constexpr const char* kName = "matmul_y_narrow_tf32";
};
struct MatmulYNarrowBf16 : product::MmaY<product::Narrow, product::Bf16Warp> {
  static constexpr const char* kName = "matmul_y_narrow_bf16";
};

struct MatmulDx : product::FmaDx<float, product::LargeTile> {
  static constexpr const char* kName = "matmul_dx";
};
struct MatmulDxSmall : product::FmaDx<float, product::SmallTile> {
  static constexpr const char* kName = "matmul_dx_small";
};
struct MatmulDxTf32 : product::MmaDx<float, product::Tf32Warp> {
  static constexpr const char* kName = "matmul_dx_tf32";
};
struct MatmulDxBf16 : product::MmaDx<float, product::Bf16Warp> {
  static constexpr const char* kName = "matmul_dx_bf16";
};
struct MatmulDxNarrow : product::FmaDx<product::Narrow, product::LargeTile> {
  static constexpr const char* kName = "matmul_dx_narrow";
};
struct MatmulDxNarrowSmall : product::FmaDx<product::Narrow, product::SmallTile> {
  static constexpr const char* kName = "matmul_dx_narrow_small";
};
struct MatmulDxNarrowTf32 : product::MmaDx<product::Narrow, product::Tf32Warp> {
  static constexpr const char* kName = "matmul_dx_narrow_tf32";
};
struct MatmulDxNarrowBf16 : product::MmaDx<product::Narrow, product::Bf16Warp> {
  static constexpr const char* kName = "matmul_dx_narrow_bf16";
};

struct MatmulDw : product::FmaDw<product::LargeTile> {
  static constexpr const char* kName = "matmul_dw";
};
struct MatmulDwSmall : product::FmaDw<product::SmallTile> {
  static constexpr const char* kName = "matmul_dw_small";
};
struct MatmulDwTf32 : product::MmaDw<product::Tf32Warp> {
  static constexpr const char* kName = "matmul_dw_tf32";
};
struct MatmulDwBf16 : product::MmaDw<product::Bf16Warp> {
  static constexpr const char* kName = "matmul_dw_bf16";
};

/// dw from its partial sums, added in the order of their rows, then to the old value. One element a
/// thread: it reads every partial sum once.
struct MatmulDwSum {
  static constexpr const char* kName = "matmul_dw_sum";
  static constexpr int kThreads = 256;
  struct Args {
    const float* partial;  // (listed models of this launch, parts, elements)
    float* out;            // (M, elements)
    int64_t elements;      // O K
    int parts, first;
    bool adds;
    LiveModels models;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const int64_t i = static_cast<int64_t>(ctx.block_x()) * kThreads + ctx.thread();
    if (i >= a.elements) {
      return;
    }
    const float* from = a.partial + ctx.block_y() * a.parts * a.elements + i;
    float sum = from[0];
    for (int part = 1; part < a.parts; ++part) {
      sum = sum + from[part * a.elements];
    }
    float* to = a.out + a.models.model(a.first + ctx.block_y()) * a.elements + i;
    *to = a.adds ? *to + sum : sum;
  }
};

/// Stage 1 of dbias: sums of dy over blocks of rows (column_sums_body.h).
struct MatmulDbias {
  static constexpr const char* kName = "matmul_dbias";
  struct Args {
    const float* dy;  // (M, N, O)
    float* partial;   // (listed models, blocks, O)
    ColumnBlocks blocks;
    LiveModels models;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const float* dy = a.dy + a.models.model(ctx.block_y()) * a.blocks.rows * a.blocks.columns;
    column_partials<1>(
        ctx, a.blocks, ctx.block_y(), a.partial, [&](int64_t n, int64_t o, float* t) {
          t[0] = dy[n * a.blocks.columns + o];
        });
  }
};

template <class Table>
void matmul_kernels(Table& t) {
  t.template add<MatmulY>();
  t.template add<MatmulYSmall>();
  t.template add<MatmulYTf32>();
  t.template add<MatmulYBf16>();
  t.template add<MatmulYNarrow>();
  t.template add<MatmulYNarrowSmall>();
  t.template add<MatmulYNarrowTf32>();
  t.template add<MatmulYNarrowBf16>();
  t.template add<MatmulDx>();
  t.template add<MatmulDxSmall>();
  t.template add<MatmulDxTf32>();
  t.template add<MatmulDxBf16>();
  t.template add<MatmulDxNarrow>();
  t.template add<MatmulDxNarrowSmall>();
  t.template add<MatmulDxNarrowTf32>();
  t.template add<MatmulDxNarrowBf16>();
  t.template add<MatmulDw>();
  t.template add<MatmulDwSmall>();
  t.template add<MatmulDwTf32>();
  t.template add<MatmulDwBf16>();
  t.template add<MatmulDwSum>();
  t.template add<MatmulDbias>();
}

}  // namespace sv::ops
