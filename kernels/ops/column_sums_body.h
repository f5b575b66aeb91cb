// Sums over the rows of a model, for gradients of parameters: two stages in a fixed order, no
// atomics.
//
// Stage 1 (in the op's own kernel): block b of a model adds rows [b R, (b + 1) R), R from the
// number of rows alone; its 8 warps take every 8th row of 32 columns, and their sums are added in
// order. Stage 2 (ColumnSums) does the same over the blocks.
#pragma once
#include <cstdint>

#include "kernels/simt/context.h"
#include "kernels/simt/live_models.h"

namespace sv::ops {

inline constexpr int kSumThreads = 256;
inline constexpr int kSumWarps = kSumThreads / simt::kWarp;

/// How stage 1 cuts N rows of D columns; at most 128 blocks of rows, so that stage 2 stays short.
struct ColumnBlocks {
  int64_t rows = 0;     // N
  int64_t columns = 0;  // D
  int64_t block_rows = 0;
  int blocks = 0;
  int tiles = 0;  // of 32 columns

  SV_HD int grid_x() const { return blocks * tiles; }
};
inline ColumnBlocks column_blocks(int64_t N, int64_t D) {
  ColumnBlocks c;
  c.rows = N;
  c.columns = D;
  c.block_rows = 64 * ((N + 64 * 128 - 1) / (64 * 128));
  c.blocks = N == 0 ? 0 : static_cast<int>((N + c.block_rows - 1) / c.block_rows);
  c.tiles = static_cast<int>((D + simt::kWarp - 1) / simt::kWarp);
  return c;
}
/// Shared memory of a block that adds K terms at once.
constexpr int column_sum_bytes(int K) {
  return K * kSumThreads * 4;
}

/// Adds term(n, c, t) over rows [begin, end) for the 32 columns of `tile`; thread (warp 0, lane)
/// returns true with the K totals in `total` and its column in `column`.
template <int K, class C, class F>
SV_DEVICE bool add_rows(C& ctx,
                        int64_t begin,
                        int64_t end,
                        int64_t columns,
                        int tile,
                        int64_t& column,
                        float (&total)[K],
                        F&& term) {
  column = static_cast<int64_t>(tile) * simt::kWarp + ctx.lane();
  float sum[K] = {};
  if (column < columns) {
    for (int64_t n = begin + ctx.warp(); n < end; n += kSumWarps) {
      float t[K];
      term(n, column, t);
      for (int k = 0; k < K; ++k) {
        sum[k] = sum[k] + t[k];
      }
    }
  }
  auto parts = ctx.template shared<float>(0, K * kSumThreads);
  for (int k = 0; k < K; ++k) {
    parts[k * kSumThreads + ctx.thread()] = sum[k];
  }
  ctx.barrier();
  if (ctx.warp() != 0 || column >= columns) {
    return false;
  }
  for (int k = 0; k < K; ++k) {
    total[k] = 0.0f;
    for (int w = 0; w < kSumWarps; ++w) {
      const float part = parts[k * kSumThreads + w * simt::kWarp + ctx.lane()];
      total[k] = total[k] + part;
    }
  }
  return true;
}

/// Stage 1 for K sums at once: partial (live, blocks, K, D). The model is the i-th listed one.
template <int K, class C, class F>
SV_DEVICE void column_partials(C& ctx, const ColumnBlocks& c, int i, float* partial, F&& term) {
  const int tile = ctx.block_x() % c.tiles, block = ctx.block_x() / c.tiles;
  const int64_t begin = block * c.block_rows;
  const int64_t end = begin + c.block_rows < c.rows ? begin + c.block_rows : c.rows;
  int64_t column;
  float total[K];
  if (add_rows<K>(ctx, begin, end, c.columns, tile, column, total, term)) {
    for (int k = 0; k < K; ++k) {
      partial[((static_cast<int64_t>(i) * c.blocks + block) * K + k) * c.columns + column] =
          total[k];
    }
  }
}

/// Stage 2: out (M, D) of the k-th of K sums, for the listed models; without rows it is 0.
struct ColumnSums {
  static constexpr const char* kName = "column_sums";
  struct Args {
    const float* partial;  // (live, blocks, K, D)
    float* out;            // (M, D)
    int64_t columns;
    int blocks, K, k;
    bool adds;
    LiveModels models;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const int64_t D = a.columns, first = static_cast<int64_t>(ctx.block_y()) * a.blocks;
    int64_t column;
    float total[1];
    const bool writes = add_rows<1>(
        ctx, 0, a.blocks, D, ctx.block_x(), column, total, [&](int64_t b, int64_t c, float* t) {
          t[0] = a.partial[((first + b) * a.K + a.k) * D + c];
        });
    if (writes) {
      float* to = a.out + a.models.model(ctx.block_y()) * D + column;
      *to = a.adds ? *to + total[0] : total[0];
    }
  }
};

template <class Table>
void column_sums_kernels(Table& t) {
  t.template add<ColumnSums>();
}

}  // namespace sv::ops
