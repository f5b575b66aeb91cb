// Kernels of attention with its pattern in memory: scores and their softmax, the product of a
// pattern with rows (o, dq), the one of its transpose (dk, dv), and the gradient of the scores.
//
// A block takes one head of one sequence and up to 64 rows of the result, the other side in tiles
// of up to 64; for T, S <= 64 it reads each operand once. The floor of all of them is the pattern's
// traffic, 4 H T S bytes a sequence for 2 K flops each: below K = 32 or so an H100 waits for
// memory.
#pragma once
#include "kernels/math/point.h"
#include "kernels/ops/attention/attention_tile.h"
#include "kernels/simt/reduce.h"

namespace sv::ops {

/// A block's head and tile of `tiles`.
struct HeadPlace {
  int b, h, tile;
  SV_DEVICE HeadPlace(int block, int heads, int tiles)
      : b(block / tiles / heads), h(block / tiles % heads), tile(block % tiles) {}
};

/// What becomes of rows keys^T: p (=|+=) it; p = softmax of it over the keys seen, for which it
/// waits in shared memory, or, where a row is too long for that, in p itself (mostly in L2).
enum class ScoreUse : uint8_t { products, softmax, long_softmax };

template <ScoreUse kind>
struct AttentionScores {
  static constexpr const char* kName = kind == ScoreUse::products  ? "attention_products"
                                       : kind == ScoreUse::softmax ? "attention_pattern"
                                                                   : "attention_pattern_long";
  static constexpr int kMaxBlock = kHeadThreads;
  /// Most shared memory for scores that wait there: two blocks fit an H100 SM.
  static constexpr int kMostBytes = 96 * 1024;
  struct Args {
    const float* rows;  // (M, B, T, H K)
    const float* keys;  // (M, B, S, G K)
    float* p;           // (M, B, H, T, S)
    AttentionShape d;
    DeviceMask mask;
    float scale;
    bool adds, vector, vector_p;
    LiveModels models;
  };
  struct Tiles {
    HeadTile rows, keys, scores;
    int bytes;
    SV_HD explicit Tiles(const AttentionShape& d) {
      HeadTileSpace space;
      rows = space.take(d.K, d.tile_T);
      keys = space.take(d.K, d.tile_S);
      scores = space.take(kind == ScoreUse::softmax ? d.tile_T : 0, up_to_four(d.S));
      bytes = space.bytes;
    }
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const AttentionShape& d = a.d;
    const HeadPlace at(ctx.block_x(), d.H, head_tile_count(d.T, d.tile_T));
    const int64_t m = a.models.model(ctx.block_y()), mb = m * d.B + at.b;
    const int t0 = at.tile * d.tile_T, rows = d.T - t0 < d.tile_T ? d.T - t0 : d.tile_T;
    const DeviceVisible visible(a.mask, d, m, at.b);
    const int end = kind == ScoreUse::products ? d.S : visible.count(t0 + rows - 1);
    const Tiles tiles(d);
    float* p = a.p + d.p_at(mb, at.h, t0);
    load_head_columns(
        ctx, tiles.rows, {a.rows + d.q_at(mb, at.h, t0), int64_t{d.H} * d.K, rows, d.K, a.vector});
    for (int s0 = 0; s0 < end; s0 += d.tile_S) {
      const int keys = end - s0 < d.tile_S ? end - s0 : d.tile_S;
      ctx.barrier();
      const float* from = a.keys + d.k_at(mb, d.group(at.h), s0);
      load_head_columns(ctx, tiles.keys, {from, int64_t{d.G} * d.K, keys, d.K, a.vector});
      ctx.barrier();
      const Patch patch = patch_by_rows(ctx, rows, keys);
      const HeadTarget to{p + s0, d.S, rows, keys, a.vector_p && keys % 4 == 0};
      PatchSum sum = {};
      if constexpr (kind == ScoreUse::products) {
        start_patch(sum, to, patch, a.adds);
      }
      if (patch.mine) {
        multiply_patch(ctx, tiles.rows, tiles.keys, patch, d.K, sum);
      }
      if constexpr (kind != ScoreUse::softmax) {
        put_patch(sum, to, patch);
      } else if (patch.mine) {
        auto scores = tiles.scores.fours(ctx);
        for (int i = 0; i < 4; ++i) {
          scores[(4 * patch.row + i) * tiles.scores.groups + s0 / 4 + patch.column] =
              simt::Float4{sum[i][0], sum[i][1], sum[i][2], sum[i][3]};
        }
      }
    }
    if constexpr (kind != ScoreUse::products) {
      ctx.barrier();
      for (int t = ctx.warp(); t < rows; t += ctx.warps()) {
        float* row = p + int64_t{t} * d.S;
        const int n = visible.count(t0 + t);
        if constexpr (kind == ScoreUse::softmax) {
          auto scores = tiles.scores.floats(ctx) + t * 4 * tiles.scores.groups;
          softmax_row(ctx, scores, n, d.S, a.scale, row);
        } else {
          softmax_row(ctx, row, n, d.S, a.scale, row);
        }
      }
    }
  }
  /// p = softmax of scale * x over the first n of S; x holds the exponentials afterwards. A lane
  /// takes every 32nd key, so the bits do not depend on what lies behind n.
  template <class C, class Row>
  SV_DEVICE static void softmax_row(C& ctx, Row x, int n, int S, float scale, float* p) {
    float most = -INFINITY;
    for (int s = ctx.lane(); s < n; s += simt::kWarp) {
      const float score = x[s];
      const float scaled = score * scale;
      most = scaled > most || scaled != scaled ? scaled : most;
    }
    most = simt::warp_max(ctx, most);
    float sum = 0.0f;
    for (int s = ctx.lane(); s < n; s += simt::kWarp) {
      const float score = x[s];
      const float e = point::exp_poly(score * scale - most);
      x[s] = e;
      sum = sum + e;
    }
    sum = simt::warp_sum(ctx, sum);
    const float inverse = 1.0f / sum;
    for (int s = ctx.lane(); s < S; s += simt::kWarp) {
      float value = 0.0f;
      if (s < n) {
        const float e = x[s];
        value = e * inverse;
      }
      p[s] = value;
    }
  }
};

/// out (T, K) (=|+=) w x of a head, w (T, S) a pattern or the gradient of its scores.
struct AttentionRows {
  static constexpr const char* kName = "attention_rows";
  static constexpr int kMaxBlock = kHeadThreads;
  struct Args {
    const float* w;  // (M or live, B, H, T, S)
    const float* x;  // (M, B, S, G K)
    float* out;      // (M, B, T, H K)
    AttentionShape d;
    bool adds, vector, vector_w;
    bool by_place;  // w has one entry per live model
    LiveModels models;
  };
  struct Tiles {
    HeadTile w, x;
    int bytes;
    SV_HD explicit Tiles(const AttentionShape& d) {
      HeadTileSpace space;
      w = space.take(d.tile_S, d.tile_T);
      x = space.take(d.tile_S, d.width());
      bytes = space.bytes;
    }
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const AttentionShape& d = a.d;
    const HeadPlace at(ctx.block_x(), d.H, head_tile_count(d.T, d.tile_T));
    const int64_t m = a.models.model(ctx.block_y()), mb = m * d.B + at.b;
    const int64_t w_mb = (a.by_place ? ctx.block_y() : m) * d.B + at.b;
    const int t0 = at.tile * d.tile_T, rows = d.T - t0 < d.tile_T ? d.T - t0 : d.tile_T;
    const Tiles tiles(d);
    const float* w = a.w + d.p_at(w_mb, at.h, t0);
    const float* x = a.x + d.k_at(mb, d.group(at.h), 0);
    const int64_t apart = int64_t{d.G} * d.K;
    const Patch patch = patch_by_rows(ctx, rows, d.K);
    const HeadTarget to{a.out + d.q_at(mb, at.h, t0), int64_t{d.H} * d.K, rows, d.K, a.vector};
    PatchSum sum;
    start_patch(sum, to, patch, a.adds);
    for (int s0 = 0; s0 < d.S; s0 += d.tile_S) {
      const int keys = d.S - s0 < d.tile_S ? d.S - s0 : d.tile_S;
      ctx.barrier();
      load_head_columns(ctx, tiles.w, {w + s0, d.S, rows, keys, a.vector_w && keys % 4 == 0});
      load_head_rows(ctx, tiles.x, {x + s0 * apart, apart, keys, d.K, a.vector});
      ctx.barrier();
      if (patch.mine) {
        multiply_patch(ctx, tiles.w, tiles.x, patch, keys, sum);
      }
    }
    put_patch(sum, to, patch);
  }
};

/// out (S, K) (=|+=) w^T x over the heads of a group, one after the other.
struct AttentionColumns {
  static constexpr const char* kName = "attention_columns";
  static constexpr int kMaxBlock = kHeadThreads;
  struct Args {
    const float* w;  // (M or live, B, H, T, S)
    const float* x;  // (M, B, T, H K)
    float* out;      // (M, B, S, G K)
    AttentionShape d;
    bool adds, vector, vector_w;
    bool by_place;
    LiveModels models;
  };
  struct Tiles {
    HeadTile w, x;
    int bytes;
    SV_HD explicit Tiles(const AttentionShape& d) {
      HeadTileSpace space;
      w = space.take(d.tile_T, d.tile_S);
      x = space.take(d.tile_T, d.width());
      bytes = space.bytes;
    }
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const AttentionShape& d = a.d;
    const HeadPlace at(ctx.block_x(), d.G, head_tile_count(d.S, d.tile_S));  // h is the group
    const int64_t m = a.models.model(ctx.block_y()), mb = m * d.B + at.b;
    const int64_t w_mb = (a.by_place ? ctx.block_y() : m) * d.B + at.b;
    const int s0 = at.tile * d.tile_S, keys = d.S - s0 < d.tile_S ? d.S - s0 : d.tile_S;
    const Tiles tiles(d);
    const Patch patch = patch_by_rows(ctx, keys, d.K);
    const HeadTarget to{a.out + d.k_at(mb, at.h, s0), int64_t{d.G} * d.K, keys, d.K, a.vector};
    PatchSum sum;
    start_patch(sum, to, patch, a.adds);
    const int each = d.H / d.G;
    for (int h = at.h * each; h < (at.h + 1) * each; ++h) {
      for (int t0 = 0; t0 < d.T; t0 += d.tile_T) {
        const int rows = d.T - t0 < d.tile_T ? d.T - t0 : d.tile_T;
        ctx.barrier();
        const float* w = a.w + d.p_at(w_mb, h, t0) + s0;
        load_head_rows(ctx, tiles.w, {w, d.S, rows, keys, a.vector_w && keys % 4 == 0});
        const float* x = a.x + d.q_at(mb, h, t0);
        load_head_rows(ctx, tiles.x, {x, int64_t{d.H} * d.K, rows, d.K, a.vector});
        ctx.barrier();
        if (patch.mine) {
          multiply_patch(ctx, tiles.w, tiles.x, patch, rows, sum);
        }
      }
    }
    put_patch(sum, to, patch);
  }
};

/// ds = scale p (dp - sum p dp) over the keys seen, 0 behind them, whatever dp holds there. A warp
/// per row.
struct AttentionScoreGradient {
  static constexpr const char* kName = "attention_score_gradient";
  static constexpr int kThreads = 256;
  static constexpr int kRows = kThreads / simt::kWarp;  // of a block
  struct Args {
    const float* p;   // (M, B, H, T, S)
    const float* dp;  // (M, B, H, T, S)
    float* ds;        // (live, B, H, T, S)
    AttentionShape d;
    DeviceMask mask;
    float scale;
    LiveModels models;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const AttentionShape& d = a.d;
    const int64_t row = ctx.block_x() * int64_t{kRows} + ctx.warp();
    const int64_t rows = int64_t{d.B} * d.H * d.T;
    if (row >= rows) {
      return;
    }
    const int64_t m = a.models.model(ctx.block_y());
    const DeviceVisible visible(a.mask, d, m, row / (int64_t{d.H} * d.T));
    const int n = visible.count(static_cast<int>(row % d.T));
    const float* p = a.p + (m * rows + row) * d.S;
    const float* dp = a.dp + (m * rows + row) * d.S;
    float* ds = a.ds + (ctx.block_y() * rows + row) * d.S;
    float mean = 0.0f;
    for (int s = ctx.lane(); s < n; s += simt::kWarp) {
      mean = mean + p[s] * dp[s];
    }
    mean = simt::warp_sum(ctx, mean);
    for (int s = ctx.lane(); s < d.S; s += simt::kWarp) {
      ds[s] = s < n ? a.scale * (p[s] * (dp[s] - mean)) : 0.0f;
    }
  }
};

template <class Table>
void attention_kernels(Table& t) {
  t.template add<AttentionScores<ScoreUse::products>>();
  t.template add<AttentionScores<ScoreUse::softmax>>();
  t.template add<AttentionScores<ScoreUse::long_softmax>>();
  t.template add<AttentionRows>();
  t.template add<AttentionColumns>();
  t.template add<AttentionScoreGradient>();
}

}  // namespace sv::ops
