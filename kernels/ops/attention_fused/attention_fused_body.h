// Kernels of attention_fused: the pattern lives in shared memory, a tile of 64 x 64 (32 x 32 for
// heads over 64 wide) at a time.
//
// Forward and dq: a block takes up to 64 queries of a head and walks over the keys they see; dk and
// dv: a block takes up to 64 keys of a group and walks over the queries that see them. For T, S <=
// 64 each operand is read once. Traffic is that of q, k, v, o and their gradients alone, so all are
// bound by the 4 K flops per score of the forward pass and the 10 K of the backward one (14 K here:
// scores and dp are computed in both kernels, which is cheaper than sums without an order).
#pragma once
#include "kernels/math/point.h"
#include "kernels/ops/attention/attention_tile.h"
#include "kernels/ops/attention_fused/attention_fused_mma.h"
#include "kernels/ops/attention_fused/attention_fused_place.h"

namespace sv::ops {

inline constexpr int kMostFusedWidth =
    128;                                 // of a head: more does not fit the shared memory of sm_80
inline constexpr int kSoftmaxParts = 4;  // threads that share a row of scores

/// Most rows and keys of a tile. The forward pass cuts the keys at its multiples whatever S is, so
/// that the bits of a row do not depend on what lies behind the keys it sees.
SV_HD constexpr int fused_tile(int K) {
  return K <= 64 ? kHeadTile : kHeadTile / 2;
}

/// o = softmax(scale q k^T) v by online softmax: per row the largest score so far and the sum of
/// exp(score - largest); what was summed before is scaled when a larger score comes.
struct FusedForward {
  static constexpr const char* kName = "attention_fused_forward";
  static constexpr int kMaxBlock = kHeadThreads;
  using Args = FusedForwardArgs;
  struct Tiles {
    HeadTile q, k, v, p;
    HeadTile most, sum, shrink;    // (1, tile_T)
    HeadTile part_most, part_sum;  // (kSoftmaxParts, tile_T)
    int bytes;
    SV_HD explicit Tiles(const AttentionShape& d) {
      HeadTileSpace space;
      q = space.take(d.K, d.tile_T);
      k = space.take(d.K, d.tile_S);
      v = space.take(d.tile_S, d.width());
      p = space.take(d.tile_S, d.tile_T);
      most = space.take(1, d.tile_T);
      sum = space.take(1, d.tile_T);
      shrink = space.take(1, d.tile_T);
      part_most = space.take(kSoftmaxParts, d.tile_T);
      part_sum = space.take(kSoftmaxParts, d.tile_T);
      bytes = space.bytes;
    }
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const AttentionShape& d = a.d;
    const FusedPlace at(ctx, a.models, d.B, d.H, head_tile_count(d.T, d.tile_T));
    const int t0 = at.tile * d.tile_T, rows = d.T - t0 < d.tile_T ? d.T - t0 : d.tile_T;
    const DeviceVisible visible(a.mask, d, at.m, at.b);
    const int end = visible.count(t0 + rows - 1);
    const Tiles tiles(d);
    const int64_t q_apart = int64_t{d.H} * d.K, k_apart = int64_t{d.G} * d.K;
    const int64_t q_at = d.q_at(at.mb, at.h, t0);
    const Row row{ctx.thread() % d.tile_T, ctx.thread() / d.tile_T};
    const int n = row.t < rows ? visible.count(t0 + row.t) : 0;  // keys that this thread's row sees
    if (row.part == 0) {
      tiles.most.floats(ctx)[row.t] = -INFINITY;
      tiles.sum.floats(ctx)[row.t] = 0.0f;
    }
    load_head_columns(ctx, tiles.q, {a.q + q_at, q_apart, rows, d.K, a.vector});
    const Patch out = patch_by_rows(ctx, rows, d.K);
    PatchSum sum = {};
    for (int s0 = 0; s0 < end; s0 += d.tile_S) {
      const int keys = end - s0 < d.tile_S ? end - s0 : d.tile_S;
      const int64_t k_at = d.k_at(at.mb, d.group(at.h), s0);
      ctx.barrier();
      load_head_columns(ctx, tiles.k, {a.k + k_at, k_apart, keys, d.K, a.vector});
      load_head_rows(ctx, tiles.v, {a.v + k_at, k_apart, keys, d.K, a.vector});
      ctx.barrier();
      const Patch patch = patch_by_columns(ctx, d.tile_T, keys);
      if (patch.mine) {
        PatchSum score = {};
        multiply_patch(ctx, tiles.q, tiles.k, patch, d.K, score);
        auto p = tiles.p.fours(ctx);
        for (int j = 0; j < 4; ++j) {
          p[(4 * patch.column + j) * tiles.p.groups + patch.row] =
              simt::Float4{score[0][j], score[1][j], score[2][j], score[3][j]};
        }
      }
      ctx.barrier();
      softmax_tile(ctx, tiles, row, keys, n - s0, a.scale);
      if (out.mine) {
        auto shrink = tiles.shrink.floats(ctx);
        for (int i = 0; i < 4; ++i) {
          const float factor = shrink[4 * out.row + i];
          for (int j = 0; j < 4; ++j) {
            sum[i][j] = sum[i][j] * factor;
          }
        }
        multiply_patch(ctx, tiles.p, tiles.v, out, keys, sum);
      }
    }
    ctx.barrier();
    finish(ctx, tiles, row, n, a.stats + 2 * d.row_at(at.mb, at.h, t0), rows);
    if (out.mine) {
      auto total = tiles.sum.floats(ctx);
      for (int i = 0; i < 4; ++i) {
        const float all = total[4 * out.row + i];
        const float inverse = all != 0.0f ? 1.0f / all : 0.0f;
        for (int j = 0; j < 4; ++j) {
          sum[i][j] = sum[i][j] * inverse;
        }
      }
    }
    put_patch(sum, {a.o + q_at, q_apart, rows, d.K, a.vector}, out);
  }

 private:
  struct Row {
    int t, part;
  };
  /// p = exp(scale p - largest) over the first n of the tile's keys, 0 behind; the row's largest,
  /// its sum, and what sums so far shrink by.
  template <class C>
  SV_DEVICE static void softmax_tile(
      C& ctx, const Tiles& tiles, const Row& row, int keys, int n, float scale) {
    auto p = tiles.p.floats(ctx);
    auto part_most = tiles.part_most.floats(ctx), part_sum = tiles.part_sum.floats(ctx);
    auto most = tiles.most.floats(ctx), sum = tiles.sum.floats(ctx);
    const int T = 4 * tiles.p.groups;
    const bool takes_part = row.part < kSoftmaxParts;
    if (takes_part) {
      float largest = -INFINITY;
      for (int s = row.part; s < keys && s < n; s += kSoftmaxParts) {
        const float score = p[s * T + row.t];
        const float scaled = score * scale;
        largest = scaled > largest || scaled != scaled ? scaled : largest;
      }
      part_most[row.part * T + row.t] = largest;
    }
    ctx.barrier();
    float before = 0.0f, now = 0.0f, shrink = 1.0f;
    if (takes_part) {
      before = most[row.t];
      now = before;
      for (int i = 0; i < kSoftmaxParts; ++i) {
        const float largest = part_most[i * T + row.t];
        now = largest > now || largest != largest ? largest : now;
      }
      shrink = before == now ? 1.0f : point::exp_poly(before - now);
      float total = 0.0f;
      for (int s = row.part; s < keys; s += kSoftmaxParts) {
        float e = 0.0f;
        if (s < n) {
          const float score = p[s * T + row.t];
          e = point::exp_poly(score * scale - now);
          total = total + e;
        }
        p[s * T + row.t] = e;
      }
      part_sum[row.part * T + row.t] = total;
      if (row.part == 0) {
        tiles.shrink.floats(ctx)[row.t] = shrink;
      }
    }
    ctx.barrier();
    if (row.part == 0) {
      float total = 0.0f;
      for (int i = 0; i < kSoftmaxParts; ++i) {
        const float part = part_sum[i * T + row.t];
        total = total + part;
      }
      const float old = sum[row.t];
      sum[row.t] = old * shrink + total;
      most[row.t] = now;
    }
  }
  template <class C>
  SV_DEVICE static void finish(
      C& ctx, const Tiles& tiles, const Row& row, int n, float* stats, int rows) {
    if (row.part == 0 && row.t < rows) {
      const float most = tiles.most.floats(ctx)[row.t], sum = tiles.sum.floats(ctx)[row.t];
      stats[2 * row.t] = n > 0 ? most : 0.0f;
      stats[2 * row.t + 1] = n > 0 ? 1.0f / sum : 0.0f;
    }
  }
};

/// delta = sum_k do o of each head's rows, which is sum_s p dp. A thread per row.
struct FusedDelta {
  static constexpr const char* kName = "attention_fused_delta";
  static constexpr int kThreads = 256;
  struct Args {
    const float* o;     // (M, B, T, H K)
    const float* dout;  // (M, B, T, H K)
    float* delta;       // (live, B, H, T)
    AttentionShape d;
    LiveModels models;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const AttentionShape& d = a.d;
    const int64_t row = ctx.block_x() * int64_t{kThreads} + ctx.thread();  // (b, t, h)
    const int64_t rows = int64_t{d.B} * d.T * d.H;
    if (row >= rows) {
      return;
    }
    const int64_t at = (a.models.model(ctx.block_y()) * rows + row) * d.K;
    float sum = 0.0f;
    for (int k = 0; k < d.K; ++k) {
      sum = sum + a.dout[at + k] * a.o[at + k];
    }
    const int64_t h = row % d.H, t = row / d.H % d.T, b = row / d.H / d.T;
    a.delta[((ctx.block_y() * int64_t{d.B} + b) * d.H + h) * d.T + t] = sum;
  }
};

/// What the backward kernels read of the rows of a head.
struct FusedRows {
  const float* stats;  // (T, 2)
  const float* delta;  // (T)
  float scale;

  /// p of a row that sees the key; `product` is q k.
  SV_DEVICE float weight(int t, float product) const {
    return point::exp_poly(product * scale - stats[2 * t]) * stats[2 * t + 1];
  }
  SV_DEVICE float gradient(int t, float p, float dp) const { return scale * (p * (dp - delta[t])); }
};

struct FusedBackwardArgs {
  const float* q;       // (M, B, T, H K)
  const float* k;       // (M, B, S, G K)
  const float* v;       // (M, B, S, G K)
  const float* dout;    // (M, B, T, H K)
  const float* stats;   // (M, B, H, T, 2)
  const float* delta;   // (live, B, H, T)
  float *dq, *dk, *dv;  // null: not wanted
  AttentionShape d;
  DeviceMask mask;
  float scale;
  bool adds_dq, adds_dk, adds_dv, vector;
  LiveModels models;

  template <class C>
  SV_DEVICE FusedRows rows_of(C& ctx, int64_t mb, int b, int h, int t0) const {
    const int64_t place = ctx.block_y() * int64_t{d.B} + b;
    return {stats + 2 * d.row_at(mb, h, t0), delta + d.row_at(place, h, t0), scale};
  }
};

struct FusedDq {
  static constexpr const char* kName = "attention_fused_dq";
  static constexpr int kMaxBlock = kHeadThreads;
  using Args = FusedBackwardArgs;
  struct Tiles {
    HeadTile q, dout, k, v, k_rows, ds;
    int bytes;
    SV_HD explicit Tiles(const AttentionShape& d) {
      HeadTileSpace space;
      q = space.take(d.K, d.tile_T);
      dout = space.take(d.K, d.tile_T);
      k = space.take(d.K, d.tile_S);
      v = space.take(d.K, d.tile_S);
      k_rows = space.take(d.tile_S, d.width());
      ds = space.take(d.tile_S, d.tile_T);
      bytes = space.bytes;
    }
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const AttentionShape& d = a.d;
    const FusedPlace at(ctx, a.models, d.B, d.H, head_tile_count(d.T, d.tile_T));
    const int t0 = at.tile * d.tile_T, rows = d.T - t0 < d.tile_T ? d.T - t0 : d.tile_T;
    const DeviceVisible visible(a.mask, d, at.m, at.b);
    const int end = visible.count(t0 + rows - 1);
    const Tiles tiles(d);
    const int64_t q_apart = int64_t{d.H} * d.K, k_apart = int64_t{d.G} * d.K;
    const int64_t q_at = d.q_at(at.mb, at.h, t0);
    const FusedRows of = a.rows_of(ctx, at.mb, at.b, at.h, t0);
    load_head_columns(ctx, tiles.q, {a.q + q_at, q_apart, rows, d.K, a.vector});
    load_head_columns(ctx, tiles.dout, {a.dout + q_at, q_apart, rows, d.K, a.vector});
    const Patch out = patch_by_rows(ctx, rows, d.K);
    const HeadTarget to{a.dq + q_at, q_apart, rows, d.K, a.vector};
    PatchSum sum;
    start_patch(sum, to, out, a.adds_dq);
    for (int s0 = 0; s0 < end; s0 += d.tile_S) {
      const int keys = end - s0 < d.tile_S ? end - s0 : d.tile_S;
      const int64_t k_at = d.k_at(at.mb, d.group(at.h), s0);
      ctx.barrier();
      load_head_columns(ctx, tiles.k, {a.k + k_at, k_apart, keys, d.K, a.vector});
      load_head_columns(ctx, tiles.v, {a.v + k_at, k_apart, keys, d.K, a.vector});
      load_head_rows(ctx, tiles.k_rows, {a.k + k_at, k_apart, keys, d.K, a.vector});
      ctx.barrier();
      const Patch patch = patch_by_columns(ctx, d.tile_T, keys);
      if (patch.mine) {
        const auto sees = [&](int i, int j) {
          const int t = 4 * patch.row + i;
          return t < rows && s0 + 4 * patch.column + j < visible.count(t0 + t);
        };
        auto ds = tiles.ds.fours(ctx) + 4 * patch.column * tiles.ds.groups + patch.row;
        PatchSum score = {};
        multiply_patch(ctx, tiles.q, tiles.k, patch, d.K, score);
        for (int j = 0; j < 4; ++j) {  // p waits where ds will be, not in registers
          simt::Float4 p = {};
          for (int i = 0; i < 4; ++i) {
            p.at[i] = sees(i, j) ? of.weight(4 * patch.row + i, score[i][j]) : 0.0f;
          }
          ds[j * tiles.ds.groups] = p;
        }
        PatchSum dp = {};
        multiply_patch(ctx, tiles.dout, tiles.v, patch, d.K, dp);
        for (int j = 0; j < 4; ++j) {
          simt::Float4 x = ds[j * tiles.ds.groups];
          for (int i = 0; i < 4; ++i) {
            x.at[i] = of.gradient(4 * patch.row + i, x.at[i], dp[i][j]);
          }
          ds[j * tiles.ds.groups] = x;
        }
      }
      ctx.barrier();
      if (out.mine) {
        multiply_patch(ctx, tiles.ds, tiles.k_rows, out, keys, sum);
      }
    }
    put_patch(sum, to, out);
  }
};

struct FusedDkv {
  static constexpr const char* kName = "attention_fused_dkv";
  static constexpr int kMaxBlock = kHeadThreads;
  using Args = FusedBackwardArgs;
  struct Tiles {
    HeadTile k, v, q, dout, q_rows, dout_rows, p, ds;
    int bytes;
    SV_HD explicit Tiles(const AttentionShape& d) {
      HeadTileSpace space;
      k = space.take(d.K, d.tile_S);
      v = space.take(d.K, d.tile_S);
      q = space.take(d.K, d.tile_T);
      dout = space.take(d.K, d.tile_T);
      q_rows = space.take(d.tile_T, d.width());
      dout_rows = space.take(d.tile_T, d.width());
      p = space.take(d.tile_T, d.tile_S);
      ds = space.take(d.tile_T, d.tile_S);
      bytes = space.bytes;
    }
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const AttentionShape& d = a.d;
    const FusedPlace at(ctx, a.models, d.B, d.G, head_tile_count(d.S, d.tile_S));  // h is the group
    const int s0 = at.tile * d.tile_S, keys = d.S - s0 < d.tile_S ? d.S - s0 : d.tile_S;
    const DeviceVisible visible(a.mask, d, at.m, at.b);
    const Tiles tiles(d);
    const int64_t k_apart = int64_t{d.G} * d.K, k_at = d.k_at(at.mb, at.h, s0);
    load_head_columns(ctx, tiles.k, {a.k + k_at, k_apart, keys, d.K, a.vector});
    load_head_columns(ctx, tiles.v, {a.v + k_at, k_apart, keys, d.K, a.vector});
    const Patch out = patch_by_rows(ctx, keys, d.K);
    const auto target = [&](float* to) {
      return HeadTarget{to + (to ? k_at : 0), k_apart, to ? keys : 0, d.K, a.vector};
    };
    PatchSum dk, dv;
    start_patch(dk, target(a.dk), out, a.adds_dk);
    start_patch(dv, target(a.dv), out, a.adds_dv);
    const int each = d.H / d.G;
    for (int h = at.h * each; h < (at.h + 1) * each; ++h) {
      for (int t0 = 0; t0 < d.T; t0 += d.tile_T) {
        const int rows = d.T - t0 < d.tile_T ? d.T - t0 : d.tile_T;
        if (visible.count(t0 + rows - 1) <= s0) {
          continue;  // none of them sees a key of this block
        }
        const int64_t q_at = d.q_at(at.mb, h, t0), q_apart = int64_t{d.H} * d.K;
        ctx.barrier();
#if defined(__CUDACC__)
#pragma unroll 1
#endif
        for (int i = 0; i < 2; ++i) {  // a loop: one set of addresses in registers, not four
          const HeadSource x{(i ? a.dout : a.q) + q_at, q_apart, rows, d.K, a.vector};
          load_head_columns(ctx, i ? tiles.dout : tiles.q, x);
          load_head_rows(ctx, i ? tiles.dout_rows : tiles.q_rows, x);
        }
        ctx.barrier();
        pattern(ctx, tiles, visible, a.rows_of(ctx, at.mb, at.b, h, t0), d, t0, rows, s0);
        ctx.barrier();
        if (out.mine) {
          multiply_patch(ctx, tiles.p, tiles.dout_rows, out, rows, dv);
          multiply_patch(ctx, tiles.ds, tiles.q_rows, out, rows, dk);
        }
      }
    }
    put_patch(dk, target(a.dk), out);
    put_patch(dv, target(a.dv), out);
  }

 private:
  /// p and ds (tile_T, tile_S) of the tiles that are loaded.
  template <class C>
  SV_DEVICE static void pattern(C& ctx,
                                const Tiles& tiles,
                                const DeviceVisible& visible,
                                const FusedRows& of,
                                const AttentionShape& d,
                                int t0,
                                int rows,
                                int s0) {
    const Patch patch = patch_by_rows(ctx, rows, d.tile_S);
    if (!patch.mine) {
      return;
    }
    const auto sees = [&](int i, int j) {
      const int t = 4 * patch.row + i;
      return t < rows && s0 + 4 * patch.column + j < visible.count(t0 + t);
    };
    const int first = 4 * patch.row * tiles.p.groups + patch.column;
    auto p_tile = tiles.p.fours(ctx) + first, ds_tile = tiles.ds.fours(ctx) + first;
    PatchSum score = {};
    multiply_patch(ctx, tiles.q, tiles.k, patch, d.K, score);
    for (int i = 0; i < 4; ++i) {  // p goes to its tile before dp needs the registers
      simt::Float4 p = {};
      for (int j = 0; j < 4; ++j) {
        p.at[j] = sees(i, j) ? of.weight(4 * patch.row + i, score[i][j]) : 0.0f;
      }
      p_tile[i * tiles.p.groups] = p;
    }
    PatchSum dp = {};
    multiply_patch(ctx, tiles.dout, tiles.v, patch, d.K, dp);
    for (int i = 0; i < 4; ++i) {
      simt::Float4 x = p_tile[i * tiles.p.groups];
      for (int j = 0; j < 4; ++j) {
        x.at[j] = of.gradient(4 * patch.row + i, x.at[j], dp[i][j]);
      }
      ds_tile[i * tiles.ds.groups] = x;
    }
  }
};

// On tensor cores (attention_fused_mma.h).
struct FusedForwardBf16Narrow : FusedForwardMma<kMostMmaHead / 2, 64> {
  static constexpr const char* kName = "attention_fused_bf16_32";
};
struct FusedForwardBf16 : FusedForwardMma<kMostMmaHead, 32> {
  static constexpr const char* kName = "attention_fused_bf16_64";
};

/// y = x rounded to bf16: what the VJP reads, so that its pattern is that of the forward pass.
struct FusedRound {
  static constexpr const char* kName = "attention_fused_round";
  static constexpr int kThreads = 256;
  struct Args {
    const float* x;  // (M, elements)
    float* y;        // (M, elements)
    int64_t elements;
    LiveModels models;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const int64_t i = static_cast<int64_t>(ctx.block_x()) * kThreads + ctx.thread();
    if (i < a.elements) {
      const int64_t at = a.models.model(ctx.block_y()) * a.elements + i;
      a.y[at] = std::bit_cast<float>(ctx.to_bf16(0.0f, a.x[at]));
    }
  }
};

template <class Table>
void attention_fused_kernels(Table& t) {
  t.template add<FusedForward>();
  t.template add<FusedForwardBf16Narrow>();
  t.template add<FusedForwardBf16>();
  t.template add<FusedRound>();
  t.template add<FusedDelta>();
  t.template add<FusedDq>();
  t.template add<FusedDkv>();
}

}  // namespace sv::ops
