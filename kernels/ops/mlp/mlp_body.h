// Kernel of mlp: a block takes 16 to 64 rows of x through both products, a chunk of hidden units at
// a time; hidden units live in shared memory, sums of y in registers.
//
// The products are those of attention's tiles (attention_tile.h): each sum is one chain of fused
// multiply-adds, so neither the rows of a block nor the chunks change a bit. Floor: 2 D (3F or 2F)
// flops a row. At d = 64 and F = 160 that is 90 flops for each byte of x and y, against 10 where a
// and h go through memory, which is what separate kernels wait for.
#pragma once
#include "kernels/math/point.h"
#include "kernels/ops/attention/attention_tile.h"

namespace sv::ops {

struct Mlp {
  static constexpr const char* kName = "mlp";
  static constexpr int kMaxBlock = kHeadThreads;
  static constexpr int kChunk = 64;  // columns of the first product
  struct Args {
    const float* x;          // (M, N, D)
    const float* up;         // (M, 2F or F, D)
    const float* up_bias;    // (M, 2F or F) or null
    const float* down;       // (M, D, F)
    const float* down_bias;  // (M, D) or null
    float* y;                // (M, N, D)
    int64_t N;
    int D, F;
    int rows;  // of a block, a multiple of 4
    bool gated, vector_x, vector_up, vector_down;
    LiveModels models;

    SV_HD int units() const { return gated ? kChunk / 2 : kChunk; }  // hidden, of a chunk
    SV_HD int width() const { return up_to_four(D); }
    SV_HD int wide() const { return gated ? 2 * F : F; }
  };
  struct Tiles {
    HeadTile x, up, hidden, down;
    int bytes;
    SV_HD explicit Tiles(const Args& a) {
      HeadTileSpace space;
      x = space.take(a.D, a.rows);
      up = space.take(a.D, kChunk);
      hidden = space.take(a.units(), a.rows);
      down = space.take(a.units(), a.width());
      bytes = space.bytes;
    }
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const int64_t m = a.models.model(ctx.block_y());
    const int64_t row0 = static_cast<int64_t>(ctx.block_x()) * a.rows;
    const int rows = a.N - row0 < a.rows ? static_cast<int>(a.N - row0) : a.rows;
    const int64_t at = (m * a.N + row0) * a.D;
    const float* up = a.up + m * a.wide() * a.D;
    const float* down = a.down + m * a.D * a.F;
    const Tiles tiles(a);
    load_head_columns(ctx, tiles.x, {a.x + at, a.D, rows, a.D, a.vector_x});
    const Patch out = patch_by_rows(ctx, rows, a.D);
    PatchSum sum = {};
    for (int first = 0; first < a.F; first += a.units()) {
      const int units = a.F - first < a.units() ? a.F - first : a.units();
      ctx.barrier();
      load_up(ctx, tiles.up, a, up, first, units);
      load_head_columns(ctx, tiles.down, {down + first, a.F, a.D, units, a.vector_down});
      ctx.barrier();
      const Patch patch = patch_by_columns(ctx, a.rows, kChunk);
      if (patch.mine) {
        put_hidden(ctx, tiles, a, m, first, units, patch);
      }
      ctx.barrier();
      if (out.mine) {
        multiply_patch(ctx, tiles.hidden, tiles.down, out, units, sum);
      }
    }
    if (out.mine && a.down_bias) {
      for (int j = 0; j < 4; ++j) {
        const int d = 4 * out.column + j;
        const float bias = d < a.D ? a.down_bias[m * a.D + d] : 0.0f;
        for (int i = 0; i < 4; ++i) {
          sum[i][j] = sum[i][j] + bias;
        }
      }
    }
    put_patch(sum, {a.y + at, a.D, rows, a.D, a.vector_x}, out);
  }

 private:
  /// Row of `up` behind column c of a chunk, -1 for none. With a gate a thread's 4 columns are the
  /// gates of two units and what they gate.
  SV_DEVICE static int row_of(const Args& a, int first, int units, int c) {
    const int unit = a.gated ? c / 4 * 2 + c % 2 : c;
    const int row = first + unit + (a.gated && c % 4 >= 2 ? a.F : 0);
    return unit < units ? row : -1;
  }
  template <class C>
  SV_DEVICE static void load_up(
      C& ctx, const HeadTile& to, const Args& a, const float* up, int first, int units) {
    auto tile = to.floats(ctx);
    each_head_cell(ctx, (to.depth + 3) / 4, kChunk, [&](int group, int c) {
      const int row = row_of(a, first, units, c);
      const HeadSource source{up, a.D, row < 0 ? 0 : a.wide(), a.D, a.vector_up};
      const simt::Float4 v = source.at(row < 0 ? 0 : row, 4 * group);
      for (int k = 0; k < 4; ++k) {
        if (4 * group + k < to.depth) {
          tile[(4 * group + k) * kChunk + c] = v.at[k];
        }
      }
    });
  }
  /// The hidden units of a patch, 4 rows each.
  template <class C>
  SV_DEVICE static void put_hidden(
      C& ctx, const Tiles& tiles, const Args& a, int64_t m, int first, int units, const Patch& at) {
    PatchSum sum = {};
    multiply_patch(ctx, tiles.x, tiles.up, at, a.D, sum);
    if (a.up_bias) {
      for (int j = 0; j < 4; ++j) {
        const int row = row_of(a, first, units, 4 * at.column + j);
        const float bias = row < 0 ? 0.0f : a.up_bias[m * a.wide() + row];
        for (int i = 0; i < 4; ++i) {
          sum[i][j] = sum[i][j] + bias;
        }
      }
    }
    if (a.gated) {
      put_units<2>(ctx, tiles.hidden, at, [&](int i, int j) {
        return point::silu(sum[i][j]) * sum[i][j + 2];
      });
    } else {
      put_units<4>(ctx, tiles.hidden, at, [&](int i, int j) { return point::gelu(sum[i][j]); });
    }
  }
  /// unit(row, j) of the kUnits units of a patch.
  template <int kUnits, class C, class F>
  SV_DEVICE static void put_units(C& ctx, const HeadTile& to, const Patch& at, F&& unit) {
    auto hidden = to.fours(ctx);
#pragma unroll
    for (int j = 0; j < kUnits; ++j) {
      simt::Float4 h;
      for (int i = 0; i < 4; ++i) {
        h.at[i] = unit(i, j);
      }
      hidden[(kUnits * at.column + j) * to.groups + at.row] = h;
    }
  }
};

template <class Table>
void mlp_kernels(Table& t) {
  t.template add<Mlp>();
}

}  // namespace sv::ops
