// The product in f32: each element of out is one chain of fused multiply-adds over the depth,
// ascending, from 0 or from the old value. That is the chain of the CPU's kernels on AVX2 and
// AVX-512 (kernels/cpu/gemm.h), so the bits are theirs, whatever the tile.
//
// Steps past the end of the depth are 0 times -0: adding that product, -0, changes no value, not
// even the sign of a zero. So the last step needs no other code.
//
// Why it is near the floor of 2 R C depth flops: a thread keeps 8 x 4 sums and reads 12 vectors of
// 16 bytes for 128 multiply-adds, about what shared memory delivers beside full fma rate. Tiles are
// fetched two steps ahead without registers; 30 KiB and at most 128 registers let 4 to 5 blocks of
// 128 threads share a multiprocessor. At depth 64 the product needs about 16 flops a byte and
// memory decides; there the point is to read each operand once, and L2 holds w.
#pragma once
#include "kernels/ops/matmul/matmul_product.h"

namespace sv::ops::product {

/// A block's tile of out, the part of it that one thread sums, and how many groups of 4 depths nvcc
/// writes out: four of the large tile's do not fit 128 registers.
struct LargeTile {
  static constexpr int kRows = 64, kColumns = 64, kSumRows = 8, kSumColumns = 4;
  static constexpr int kUnroll = 2;
};
/// For few rows or columns: less of it is empty, and there are more blocks.
struct SmallTile {
  static constexpr int kRows = 16, kColumns = 32, kSumRows = 2, kSumColumns = 4;
  static constexpr int kUnroll = 4;
};

/// The kCount rows of one operand that a thread multiplies, of kCount * kApart in the tile.
template <class Tile, Order order, int kCount, int kApart>
struct Fragment {
  static constexpr int kPitch = Tile::Chunks::kPitch, kElements = Tile::Chunks::kElements;
  // Wide tiles are read along rows, 4 at once where there are as many.
  static constexpr int kTogether = order == Order::wide && kCount % 4 == 0 ? 4 : 1;
  static_assert(kTogether == 1 || kTogether == kCount || kCount % 4 == 0);

  /// Row of a thread's i-th value. Lanes read neighbours at the same time: of a deep tile 8 rows,
  /// which the pad of 4 floats puts into different banks.
  SV_DEVICE static int row(int t, int i) {
    return (i / kTogether * kApart + t) * kTogether + i % kTogether;
  }
  /// The values at depths k to k + 3.
  template <class C>
  SV_DEVICE static void read(C& ctx, int at, int t, int k, float (&v)[4][kCount]) {
    auto four = ctx.template shared<simt::Float4>(at, kElements / 4);
    if constexpr (order == Order::deep) {
#pragma unroll
      for (int i = 0; i < kCount; ++i) {
        const simt::Float4 x = four[(row(t, i) * kPitch + k) / 4];
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          v[j][i] = x.at[j];
        }
      }
    } else if constexpr (kTogether == 4) {
#pragma unroll
      for (int j = 0; j < 4; ++j) {
#pragma unroll
        for (int i = 0; i < kCount; i += 4) {
          const simt::Float4 x = four[((k + j) * kPitch + row(t, i)) / 4];
#pragma unroll
          for (int n = 0; n < 4; ++n) {
            v[j][i + n] = x.at[n];
          }
        }
      }
    } else {
      auto one = ctx.template shared<float>(at, kElements);
#pragma unroll
      for (int j = 0; j < 4; ++j) {
#pragma unroll
        for (int i = 0; i < kCount; ++i) {
          v[j][i] = one[(k + j) * kPitch + row(t, i)];
        }
      }
    }
  }
};

template <class S, Order order, int kRows, int kStep, int kThreads>
struct FmaOperand {
  using Tile = StagedTile<S, AsF32, order, kRows, kStep, kThreads>;
};
template <Order order, int kRows, int kStep, int kThreads>
struct FmaOperand<float, order, kRows, kStep, kThreads> {
  using Tile = CopiedTile<order, kRows, kStep, kThreads>;
};

/// The kernel's body for operands in these orders, b of element type S.
template <Order order_a, Order order_b, class S, class Shape>
struct FmaProduct {
  using Args = ProductArgs;
  static constexpr int kRows = Shape::kRows, kColumns = Shape::kColumns;
  static constexpr int kDown = kRows / Shape::kSumRows, kAcross = kColumns / Shape::kSumColumns;
  static constexpr int kThreads = kDown * kAcross;
  static constexpr int kMaxBlock = 512;  // keeps nvcc to 128 registers
  static constexpr int kStep = 16, kStages = 3;
  using TileA = typename FmaOperand<float, order_a, kRows, kStep, kThreads>::Tile;
  using TileB = typename FmaOperand<S, order_b, kColumns, kStep, kThreads>::Tile;
  using FragmentA = Fragment<TileA, order_a, Shape::kSumRows, kDown>;
  using FragmentB = Fragment<TileB, order_b, Shape::kSumColumns, kAcross>;
  static constexpr int kSharedBytes = kStages * Stages<TileA, TileB>::kBytes;
  // Of 4 neighbours in a row where the thread has them.
  static constexpr int kWritten = FragmentB::kTogether;

  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const Place p = place_of<kRows, kColumns>(ctx, a);
    TileA tile_a(source_of<order_a, kRows>(a.a, p, p.row, a.R, a.depth, a.vector_a), 0.0f);
    TileB tile_b(source_of<order_b, kColumns>(
                     static_cast<const S*>(a.b), p, p.column, a.C, a.depth, a.vector_b),
                 -0.0f);
    // A warp is 4 threads down and 8 across.
    const int down = ctx.warp() / (kAcross / 8) * 4 + ctx.lane() / 8;
    const int across = ctx.warp() % (kAcross / 8) * 8 + ctx.lane() % 8;
    const Output out(a, p);
    float sum[Shape::kSumRows][Shape::kSumColumns];
    each_sum([&](int i, int j) {
      sum[i][j] = out.start(FragmentA::row(down, i), FragmentB::row(across, j));
    });
    walk<kStages, kStep>(ctx, p.depth, tile_a, tile_b, [&](int at_a, int at_b) {
#pragma unroll Shape::kUnroll
      for (int k = 0; k < kStep; k += 4) {
        float x[4][Shape::kSumRows], w[4][Shape::kSumColumns];
        FragmentA::read(ctx, at_a, down, k, x);
        FragmentB::read(ctx, at_b, across, k, w);
#pragma unroll
        for (int n = 0; n < 4; ++n) {
          each_sum([&](int i, int j) { sum[i][j] = ctx.fma(x[n][i], w[n][j], sum[i][j]); });
        }
      }
    });
#pragma unroll
    for (int i = 0; i < Shape::kSumRows; ++i) {
#pragma unroll
      for (int j = 0; j < Shape::kSumColumns; j += kWritten) {
        float v[kWritten];
#pragma unroll
        for (int n = 0; n < kWritten; ++n) {
          v[n] = sum[i][j + n];
        }
        out.put(FragmentA::row(down, i), FragmentB::row(across, j), v);
      }
    }
  }

 private:
  template <class F>
  SV_DEVICE static void each_sum(F&& f) {
#pragma unroll
    for (int i = 0; i < Shape::kSumRows; ++i) {
#pragma unroll
      for (int j = 0; j < Shape::kSumColumns; ++j) {
        f(i, j);
      }
    }
  }
};

}  // namespace sv::ops::product
