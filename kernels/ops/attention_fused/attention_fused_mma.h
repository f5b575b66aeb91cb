// The forward pass of attention_fused in bf16: both products on tensor cores, online softmax in
// between in f32.
//
// A warp takes 16 queries, a block 64; keys come in tiles of 64, or of 32 for wide heads. Scores
// stay in the fragments that the first product leaves, and become the left operand of the second
// one without a word through shared memory: rows 16 x 8 of sums are 16 x 16 of operands, two tiles
// side by side. Numerics: q, k and v are rounded to bf16 as they are loaded, and so is exp(score -
// largest so far) for the second product; its sum and all else is f32. The floor is the traffic of
// q, k, v and o: 4 K flops a score on tensor cores are less than that up to a few hundred keys.
#pragma once
#include <bit>

#include "kernels/math/point.h"
#include "kernels/ops/attention_fused/attention_fused_place.h"

namespace sv::ops {

inline constexpr int kMostMmaHead = 64;  // K: wider heads keep too many sums in registers
inline constexpr int kMmaQueries = 64;   // of a block

/// kRows rows of kWidth values in bf16, two to a word. 8 values behind each row put the 8 rows that
/// ldmatrix reads into different banks.
template <int kRows, int kWidth>
struct HalfTile {
  static constexpr int kPitch = kWidth + 8;
  static constexpr int kBytes = kRows * kPitch * 2;
  int offset;

  template <class C>
  SV_DEVICE auto values(C& ctx) const {
    return ctx.template shared<uint16_t>(offset, kRows * kPitch);
  }
  /// Zeros outside of x.
  template <class C>
  SV_DEVICE void load(C& ctx, const HeadSource& x) const {
    auto words = ctx.template shared<uint32_t>(offset, kRows * kPitch / 2);
    each_head_cell(ctx, kRows, kWidth / 4, [&](int row, int group) {
      const simt::Float4 v = x.at(row, 4 * group);
      words[row * kPitch / 2 + 2 * group] = ctx.to_bf16(v.at[0], v.at[1]);
      words[row * kPitch / 2 + 2 * group + 1] = ctx.to_bf16(v.at[2], v.at[3]);
    });
  }
  /// 16 x 16 of values from (row, column) on: four matrices of 8 x 8, down first.
  template <class C>
  SV_DEVICE void left(C& ctx, int row, int column, uint32_t (&f)[4]) const {
    const int matrix = ctx.lane() / 8, line = ctx.lane() % 8;
    ctx.ldmatrix_x4(
        f, values(ctx) + ((row + matrix % 2 * 8 + line) * kPitch + column + matrix / 2 * 8));
  }
  /// The right operand whose columns are 16 rows of the tile, over 16 of their values.
  template <class C>
  SV_DEVICE void right_of_rows(C& ctx, int row, int column, uint32_t (&f)[4]) const {
    const int matrix = ctx.lane() / 8, line = ctx.lane() % 8;
    ctx.ldmatrix_x4(
        f, values(ctx) + ((row + matrix / 2 * 8 + line) * kPitch + column + matrix % 2 * 8));
  }
  /// The right operand over 16 rows of the tile, whose columns are 16 of their values.
  template <class C>
  SV_DEVICE void right_of_columns(C& ctx, int row, int column, uint32_t (&f)[4]) const {
    const int matrix = ctx.lane() / 8, line = ctx.lane() % 8;
    ctx.ldmatrix_x4_trans(
        f, values(ctx) + ((row + matrix % 2 * 8 + line) * kPitch + column + matrix / 2 * 8));
  }
};

/// d (16 x 16) += a (16 x 16) b (16 x 16) as two products.
template <class C>
SV_DEVICE void multiply_halves(
    C& ctx, const uint32_t (&a)[4], const uint32_t (&b)[4], float (&left)[4], float (&right)[4]) {
  const uint32_t first[2] = {b[0], b[1]}, second[2] = {b[2], b[3]};
  ctx.mma_bf16_16816(left, a, first);
  ctx.mma_bf16_16816(right, a, second);
}

/// kWidth: K rounded up; kTile: keys of a tile.
template <int kWidth, int kTile>
struct FusedForwardMma {
  using Args = FusedForwardArgs;
  using Queries = HalfTile<kMmaQueries, kWidth>;
  using Keys = HalfTile<kTile, kWidth>;
  static constexpr int kThreads = 128, kMaxBlock = kThreads;
  static constexpr int kSharedBytes = Queries::kBytes + 2 * Keys::kBytes;
  static constexpr int kDepths = kWidth / 16, kColumns = kWidth / 8, kKeys = kTile / 8;

  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const AttentionShape& d = a.d;
    const FusedPlace at(ctx, a.models, d.B, d.H, head_tile_count(d.T, kMmaQueries));
    const int t0 = at.tile * kMmaQueries;
    const int rows = d.T - t0 < kMmaQueries ? d.T - t0 : kMmaQueries;
    const DeviceVisible visible(a.mask, d, at.m, at.b);
    const int end = visible.count(t0 + rows - 1);
    const Queries q{0};
    const Keys k{Queries::kBytes}, v{Queries::kBytes + Keys::kBytes};
    const int64_t q_apart = int64_t{d.H} * d.K, k_apart = int64_t{d.G} * d.K;
    const int64_t q_at = d.q_at(at.mb, at.h, t0);
    // A lane has two rows, 8 apart, and of every 8 columns two.
    const int row = 16 * ctx.warp() + ctx.lane() / 4;
    Softmax s;
    for (int i = 0; i < 2; ++i) {
      const int t = row + 8 * i;
      s.n[i] = t < rows ? visible.count(t0 + t) : 0;
    }
    q.load(ctx, {a.q + q_at, q_apart, rows, d.K, a.vector});
    ctx.barrier();
    uint32_t query[kDepths][4];
#pragma unroll
    for (int i = 0; i < kDepths; ++i) {
      q.left(ctx, 16 * ctx.warp(), 16 * i, query[i]);
    }
    float sum[kColumns][4] = {};
    for (int s0 = 0; s0 < end; s0 += kTile) {
      const int keys = end - s0 < kTile ? end - s0 : kTile;
      const int64_t k_at = d.k_at(at.mb, d.group(at.h), s0);
      ctx.barrier();
      k.load(ctx, {a.k + k_at, k_apart, keys, d.K, a.vector});
      v.load(ctx, {a.v + k_at, k_apart, keys, d.K, a.vector});
      ctx.barrier();
      float p[kKeys][4] = {};
      scores(ctx, k, query, p);
      s.step(ctx, p, s0, a.scale);
#pragma unroll
      for (int j = 0; j < kColumns; ++j) {
        for (int e = 0; e < 4; ++e) {
          sum[j][e] = sum[j][e] * s.shrink[e / 2];
        }
      }
      mix(ctx, v, p, sum);
    }
    finish(ctx, a, s, sum, row, rows, q_at, 2 * d.row_at(at.mb, at.h, t0));
  }

 private:
  /// Of a lane's two rows.
  struct Softmax {
    int n[2];  // keys that they see
    float most[2] = {-INFINITY, -INFINITY}, total[2] = {}, shrink[2] = {};

    /// Scores become exp(scale score - largest so far), 0 where nothing is seen; `total` is this
    /// lane's part of their sum.
    template <class C>
    SV_DEVICE void step(C& ctx, float (&p)[kKeys][4], int s0, float scale) {
      const int key = s0 + 2 * (ctx.lane() % 4);
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        float largest = most[i];
        for (int j = 0; j < kKeys; ++j) {
          for (int e = 0; e < 2; ++e) {
            const float x = p[j][2 * i + e] * scale;
            p[j][2 * i + e] = x;
            largest = key + 8 * j + e < n[i] && (x > largest || x != x) ? x : largest;
          }
        }
        largest = larger(largest, ctx.shfl_xor(largest, 1));
        largest = larger(largest, ctx.shfl_xor(largest, 2));
        shrink[i] = most[i] == largest ? 1.0f : point::exp_poly(most[i] - largest);
        float now = 0.0f;
        for (int j = 0; j < kKeys; ++j) {
          for (int e = 0; e < 2; ++e) {
            float& x = p[j][2 * i + e];
            x = key + 8 * j + e < n[i] ? point::exp_poly(x - largest) : 0.0f;
            now = now + x;
          }
        }
        total[i] = total[i] * shrink[i] + now;
        most[i] = largest;
      }
    }
    /// NaN wins.
    SV_DEVICE static float larger(float x, float y) {
      return y > x || y != y ? y : x;
    }
  };

  template <class C>
  SV_DEVICE static void scores(C& ctx,
                               const Keys& k,
                               const uint32_t (&query)[kDepths][4],
                               float (&p)[kKeys][4]) {
#pragma unroll
    for (int j = 0; j < kKeys; j += 2) {
#pragma unroll
      for (int i = 0; i < kDepths; ++i) {
        uint32_t key[4];
        k.right_of_rows(ctx, 8 * j, 16 * i, key);
        multiply_halves(ctx, query[i], key, p[j], p[j + 1]);
      }
    }
  }
  template <class C>
  SV_DEVICE static void mix(C& ctx,
                            const Keys& v,
                            const float (&p)[kKeys][4],
                            float (&sum)[kColumns][4]) {
#pragma unroll
    for (int j = 0; j < kKeys; j += 2) {
      const uint32_t weight[4] = {ctx.to_bf16(p[j][0], p[j][1]),
                                  ctx.to_bf16(p[j][2], p[j][3]),
                                  ctx.to_bf16(p[j + 1][0], p[j + 1][1]),
                                  ctx.to_bf16(p[j + 1][2], p[j + 1][3])};
#pragma unroll
      for (int i = 0; i < kColumns; i += 2) {
        uint32_t value[4];
        v.right_of_columns(ctx, 8 * j, 8 * i, value);
        multiply_halves(ctx, weight, value, sum[i], sum[i + 1]);
      }
    }
  }
  template <class C>
  SV_DEVICE static void finish(C& ctx,
                               const Args& a,
                               const Softmax& s,
                               const float (&sum)[kColumns][4],
                               int row,
                               int rows,
                               int64_t q_at,
                               int64_t stats_at) {
    const AttentionShape& d = a.d;
    float totals[2];
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      totals[i] = s.total[i] + ctx.shfl_xor(s.total[i], 1);
      totals[i] = totals[i] + ctx.shfl_xor(totals[i], 2);
    }
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const float inverse = totals[i] != 0.0f ? 1.0f / totals[i] : 0.0f;
      const int t = row + 8 * i;
      if (t >= rows) {
        continue;
      }
      if (ctx.lane() % 4 == 0) {
        a.stats[stats_at + 2 * t] = s.n[i] > 0 ? s.most[i] : 0.0f;
        a.stats[stats_at + 2 * t + 1] = s.n[i] > 0 ? inverse : 0.0f;
      }
      float* o = a.o + q_at + t * int64_t{d.H} * d.K;
      for (int j = 0; j < kColumns; ++j) {
        for (int e = 0; e < 2; ++e) {
          const int column = 8 * j + 2 * (ctx.lane() % 4) + e;
          if (column < d.K) {
            o[column] = sum[j][2 * i + e] * inverse;
          }
        }
      }
    }
  }
};

}  // namespace sv::ops
