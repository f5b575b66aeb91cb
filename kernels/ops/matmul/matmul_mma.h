// The product on tensor cores: operands rounded to tf32 or bf16 on their way into shared memory,
// sums in f32.
//
// A block of 4 warps computes 64 x 64 of out, a warp 32 x 32 of that as 2 x 4 products of 16 x 8.
// Each element of out is one chain of mma over the depth, ascending, from 0 or from the old value:
// no tile, pack or launch changes it. Steps past the end of the depth, and rows past the edges, are
// zeros.
//
// Why it is near the floor: at the sizes of these models memory decides. y of depth d and width d
// moves 8 d bytes a row for 2 d^2 flops: 16 flops a byte at d = 64, where a GPU of 2020 balances at
// 200 and one of 2022 at 300. So the schedule serves the loads: the reads of the next step, 16 KiB
// a block in bf16 and 8 in tf32, wait in registers (rounding rules out asynchronous copies) during
// the products of this one, and at least 4 blocks a multiprocessor (20 KiB of shared memory, 128
// registers) overlap their first and last steps. Fragments take no bank conflict: see the pads.
#pragma once
#include "kernels/ops/matmul/matmul_product.h"

namespace sv::ops::product {

/// Fragments of 16 x 16 of a and 16 (depth) x 16 of b, and their product, in bf16.
struct Bf16Warp {
  using Format = AsBf16;
  static constexpr int kDepth = 16, kStep = 32;  // of one mma, of one tile
  struct FragmentA {
    uint32_t word[4];
  };
  struct FragmentB {
    uint32_t word[4];  // two fragments of 8 columns, one after the other
  };

  // A matrix of ldmatrix is 8 lines of 16 bytes. Pitches of 40 (deep) and 72 (wide) elements are 80
  // and 144 bytes: the 8 lines cover all banks once. Deep tiles hold the fragment's pairs of depths
  // side by side; wide ones are transposed on the way.
  template <class Tile, Order order, class C>
  SV_DEVICE static FragmentA read_a(C& ctx, int at, int row, int k) {
    constexpr int kPitch = Tile::Chunks::kPitch;
    auto tile = ctx.template shared<uint16_t>(at, Tile::Chunks::kElements);
    const int matrix = ctx.lane() / 8, line = ctx.lane() % 8;
    // Matrices in the order rows 0-7, rows 8-15, then the same 8 steps of depth later.
    const int r = row + matrix % 2 * 8, d = k + matrix / 2 * 8;
    FragmentA f;
    if constexpr (order == Order::deep) {
      ctx.ldmatrix_x4(f.word, tile + ((r + line) * kPitch + d));
    } else {
      ctx.ldmatrix_x4_trans(f.word, tile + ((d + line) * kPitch + r));
    }
    return f;
  }
  template <class Tile, Order order, class C>
  SV_DEVICE static FragmentB read_b(C& ctx, int at, int column, int k) {
    constexpr int kPitch = Tile::Chunks::kPitch;
    auto tile = ctx.template shared<uint16_t>(at, Tile::Chunks::kElements);
    const int matrix = ctx.lane() / 8, line = ctx.lane() % 8;
    // Matrices in the order depth 0-7, depth 8-15, then the same 8 columns later.
    const int c = column + matrix / 2 * 8, d = k + matrix % 2 * 8;
    FragmentB f;
    if constexpr (order == Order::deep) {
      ctx.ldmatrix_x4(f.word, tile + ((c + line) * kPitch + d));
    } else {
      ctx.ldmatrix_x4_trans(f.word, tile + ((d + line) * kPitch + c));
    }
    return f;
  }
  template <class C>
  SV_DEVICE static void multiply(
      C& ctx, float (&sum)[4], const FragmentA& a, const FragmentB& b, int half) {
    const uint32_t part[2] = {b.word[2 * half], b.word[2 * half + 1]};
    ctx.mma_bf16_16816(sum, a.word, part);
  }
};

/// The same in tf32, over a depth of 8.
struct Tf32Warp {
  using Format = AsTf32;
  static constexpr int kDepth = 8, kStep = 16;
  struct FragmentA {
    uint32_t word[4];
  };
  struct FragmentB {
    uint32_t word[4];
  };

  // Lane (group, t) reads row `group` at depth t: pitches of 20 (deep) and 72 (wide) floats put the
  // 32 of them into different banks.
  template <class Tile, Order order, class C>
  SV_DEVICE static uint32_t word(C& ctx, int at, int row, int k) {
    constexpr int kPitch = Tile::Chunks::kPitch;
    auto tile = ctx.template shared<uint32_t>(at, Tile::Chunks::kElements);
    const uint32_t bits = tile[order == Order::deep ? row * kPitch + k : k * kPitch + row];
    return bits;
  }
  template <class Tile, Order order, class C>
  SV_DEVICE static FragmentA read_a(C& ctx, int at, int row, int k) {
    const int r = row + ctx.lane() / 4, d = k + ctx.lane() % 4;
    FragmentA f;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      f.word[i] = word<Tile, order>(ctx, at, r + i % 2 * 8, d + i / 2 * 4);
    }
    return f;
  }
  template <class Tile, Order order, class C>
  SV_DEVICE static FragmentB read_b(C& ctx, int at, int column, int k) {
    const int c = column + ctx.lane() / 4, d = k + ctx.lane() % 4;
    FragmentB f;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      f.word[i] = word<Tile, order>(ctx, at, c + i / 2 * 8, d + i % 2 * 4);
    }
    return f;
  }
  template <class C>
  SV_DEVICE static void multiply(
      C& ctx, float (&sum)[4], const FragmentA& a, const FragmentB& b, int half) {
    const uint32_t part[2] = {b.word[2 * half], b.word[2 * half + 1]};
    ctx.mma_tf32_1688(sum, a.word, part);
  }
};

/// The kernel's body for operands in these orders, b of element type S.
template <class Warp, Order order_a, Order order_b, class S>
struct MmaProduct {
  using Args = ProductArgs;
  static constexpr int kRows = 64, kColumns = 64, kThreads = 128;
  static constexpr int kMaxBlock = 512;  // keeps nvcc to 128 registers: 4 blocks a multiprocessor
  static constexpr int kStep = Warp::kStep, kStages = 2;
  static constexpr int kTilesDown = 2, kTilesAcross = 4;  // of 16 x 8, in a warp
  using Format = typename Warp::Format;
  using TileA = StagedTile<float, Format, order_a, kRows, kStep, kThreads>;
  using TileB = StagedTile<S, Format, order_b, kColumns, kStep, kThreads>;
  static constexpr int kSharedBytes = kStages * Stages<TileA, TileB>::kBytes;
  using Sums = float[kTilesDown][kTilesAcross][4];

  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const Place p = place_of<kRows, kColumns>(ctx, a);
    TileA tile_a(source_of<order_a, kRows>(a.a, p, p.row, a.R, a.depth, a.vector_a), 0.0f);
    TileB tile_b(source_of<order_b, kColumns>(
                     static_cast<const S*>(a.b), p, p.column, a.C, a.depth, a.vector_b),
                 0.0f);
    const int row = ctx.warp() / 2 * 32, column = ctx.warp() % 2 * 32;
    const Output out(a, p);
    Sums sum;
    each_pair(ctx, row, column, [&](int i, int j, int half, int r, int c) {
      sum[i][j][2 * half] = out.start(r, c);
      sum[i][j][2 * half + 1] = out.start(r, c + 1);
    });
    walk<kStages, kStep>(ctx, p.depth, tile_a, tile_b, [&](int at_a, int at_b) {
// Fragments that are read further ahead do not fit beside the 32 floats under way.
#pragma unroll 1
      for (int k = 0; k < kStep; k += Warp::kDepth) {
        multiply(ctx, at_a, at_b, row, column, k, sum);
      }
    });
    each_pair(ctx, row, column, [&](int i, int j, int half, int r, int c) {
      const float v[2] = {sum[i][j][2 * half], sum[i][j][2 * half + 1]};
      out.put(r, c, v);
    });
  }

 private:
  template <class C>
  SV_DEVICE static void multiply(
      C& ctx, int at_a, int at_b, int row, int column, int k, Sums& sum) {
    typename Warp::FragmentA x[kTilesDown];
    typename Warp::FragmentB w[kTilesAcross / 2];
#pragma unroll
    for (int i = 0; i < kTilesDown; ++i) {
      x[i] = Warp::template read_a<TileA, order_a>(ctx, at_a, row + 16 * i, k);
    }
#pragma unroll
    for (int j = 0; j < kTilesAcross / 2; ++j) {
      w[j] = Warp::template read_b<TileB, order_b>(ctx, at_b, column + 16 * j, k);
    }
#pragma unroll
    for (int i = 0; i < kTilesDown; ++i) {
#pragma unroll
      for (int j = 0; j < kTilesAcross; ++j) {
        Warp::multiply(ctx, sum[i][j], x[i], w[j / 2], j % 2);
      }
    }
  }
  /// Calls f for each two neighbours that a lane holds: the upper and lower half of a 16 x 8.
  template <class C, class F>
  SV_DEVICE static void each_pair(C& ctx, int row, int column, F&& f) {
#pragma unroll
    for (int i = 0; i < kTilesDown; ++i) {
#pragma unroll
      for (int j = 0; j < kTilesAcross; ++j) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          f(i,
            j,
            half,
            row + 16 * i + 8 * half + ctx.lane() / 4,
            column + 8 * j + ctx.lane() % 4 * 2);
        }
      }
    }
  }
};

}  // namespace sv::ops::product
