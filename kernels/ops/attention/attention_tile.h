// What the device kernels of attention share: the mask, tiles in shared memory, and the one product
// they are all made of.
//
// Every product of attention is c (rows, columns) += a^T b with a (depth, rows) and b (depth,
// columns) in shared memory; a thread keeps 4 x 4 of c in registers and reads 32 bytes of shared
// memory for 16 fused multiply_patch-adds, which is where the two rates of an SM meet. Each c is
// one chain over the depth, ascending, as on the CPU (cpu/gemm.h): tiles do not change its bits.
#pragma once
#include <cstdint>

#include "kernels/simt/context.h"
#include "kernels/simt/live_models.h"

namespace sv::ops {

inline constexpr int kHeadTile = 64;           // most rows or columns of c of one block
inline constexpr int kHeadThreads = 256;       // most threads: 16 x 16 of 4 x 4
inline constexpr int kHeadLeastThreads = 128;  // below it a block waits for its loads
inline constexpr int kMostHeadWidth = 256;     // of a head

SV_HD constexpr int up_to_four(int n) {
  return (n + 3) / 4 * 4;
}
/// Size of the tiles that n is cut into: equal ones of at most `most`, multiples of 4.
SV_HD constexpr int equal_head_tiles(int n, int most) {
  const int count = n > most ? (n + most - 1) / most : 1;
  const int size = up_to_four((n + count - 1) / count);
  return size < 4 ? 4 : size;
}
SV_HD constexpr int head_tile_count(int n, int tile) {
  return (n + tile - 1) / tile;
}

struct AttentionShape {
  int B, T, S, H, G, K;
  int tile_T, tile_S;

  SV_HD int width() const { return up_to_four(K); }  // of a tile that holds a head
  SV_HD int group(int h) const { return h / (H / G); }
  /// Element offsets of a head's first row; mb = m B + b.
  SV_HD int64_t q_at(int64_t mb, int h, int t) const { return ((mb * T + t) * H + h) * int64_t{K}; }
  SV_HD int64_t k_at(int64_t mb, int g, int s) const { return ((mb * S + s) * G + g) * int64_t{K}; }
  SV_HD int64_t row_at(int64_t mb, int h, int t) const { return (mb * H + h) * T + t; }
  SV_HD int64_t p_at(int64_t mb, int h, int t) const { return row_at(mb, h, t) * S; }
};

/// ops::AttentionMask for kernels. Entries outside [0, S] count as the nearest inside.
struct DeviceMask {
  const int* lengths;                   // (1|M, B) or null
  const int* prefix;                    // (1|M, B) or null
  int64_t lengths_model, prefix_model;  // elements between models, 0 = shared
  bool bidirectional;
  int offset;  // position of query 0 among the keys
};

/// The mask of one sequence: query t sees keys [0, count(t)), which does not fall with t.
struct DeviceVisible {
  SV_DEVICE DeviceVisible(const DeviceMask& mask, const AttentionShape& d, int64_t m, int64_t b)
      : bidirectional(mask.bidirectional), length(d.S), prefix(0), offset(mask.offset) {
    if (mask.lengths) {
      length = inside(mask.lengths[m * mask.lengths_model + b], d.S);
    }
    if (mask.prefix) {
      prefix = inside(mask.prefix[m * mask.prefix_model + b], d.S);
    }
  }
  SV_DEVICE int count(int t) const {
    const int at = t + offset;
    return bidirectional ? length : inside(at < prefix ? prefix : at + 1, length);
  }
  SV_DEVICE static int inside(int n, int most) { return n < 0 ? 0 : n < most ? n : most; }
  bool bidirectional;
  int length, prefix, offset;
};

/// `depth` rows of `groups` x 4 floats in shared memory.
struct HeadTile {
  int offset, depth, groups;

  template <class C>
  SV_DEVICE auto fours(C& ctx) const {
    return ctx.template shared<simt::Float4>(offset, depth * groups);
  }
  template <class C>
  SV_DEVICE auto floats(C& ctx) const {
    return ctx.template shared<float>(offset, depth * groups * 4);
  }
};
/// Lays tiles out one behind the other; the host asks it for their size.
struct HeadTileSpace {
  int bytes = 0;
  SV_HD HeadTile take(int depth, int columns) {
    const HeadTile tile{bytes, depth, columns / 4};
    bytes += depth * columns * 4;
    return tile;
  }
};

/// A matrix in global memory whose rows are contiguous; 0 outside it.
struct HeadSource {
  const float* data;
  int64_t apart;  // from row to row
  int rows, columns;
  bool vector;  // 16 bytes at once: columns, apart and data allow it

  SV_DEVICE simt::Float4 at(int row, int column) const {
    if (vector && row < rows && column < columns) {
      return simt::load4(data + row * apart + column);
    }
    simt::Float4 v;
    for (int k = 0; k < 4; ++k) {
      v.at[k] = row < rows && column + k < columns ? data[row * apart + column + k] : 0.0f;
    }
    return v;
  }
};

/// Calls f(row, column) for this thread's share of a grid, `columns` fastest.
template <class C, class F>
SV_DEVICE void each_head_cell(C& ctx, int rows, int columns, F&& f) {
  const int down = ctx.threads() / columns, right = ctx.threads() % columns;
  int row = ctx.thread() / columns, column = ctx.thread() % columns;
  while (row < rows) {
    f(row, column);
    row += down;
    column += right;
    if (column >= columns) {
      column -= columns;
      ++row;
    }
  }
}
/// The tile's rows are rows of x.
template <class C>
SV_DEVICE void load_head_rows(C& ctx, const HeadTile& to, const HeadSource& x) {
  auto tile = to.fours(ctx);
  each_head_cell(ctx, to.depth, to.groups, [&](int row, int group) {
    tile[row * to.groups + group] = x.at(row, 4 * group);
  });
}
/// The tile's rows are columns of x. Neighbouring threads take neighbouring rows of x, whose stores
/// share no bank; the other half of each sector that they read comes from L1 shortly after.
template <class C>
SV_DEVICE void load_head_columns(C& ctx, const HeadTile& to, const HeadSource& x) {
  auto tile = to.floats(ctx);
  const int rows = 4 * to.groups;
  each_head_cell(ctx, (to.depth + 3) / 4, rows, [&](int group, int row) {
    const simt::Float4 v = x.at(row, 4 * group);
    for (int k = 0; k < 4; ++k) {
      if (4 * group + k < to.depth) {
        tile[(4 * group + k) * rows + row] = v.at[k];
      }
    }
  });
}

/// The 4 x 4 of c that a thread keeps: rows [4 row, 4 row + 4), columns likewise.
struct Patch {
  bool mine;  // threads behind the last patch have none
  int row, column;
};
/// Neighbouring threads have neighbouring columns, or neighbouring rows.
template <class C>
SV_DEVICE Patch patch_by_rows(C& ctx, int rows, int columns) {
  const int down = (rows + 3) / 4, right = (columns + 3) / 4;
  return {ctx.thread() < down * right, ctx.thread() / right, ctx.thread() % right};
}
template <class C>
SV_DEVICE Patch patch_by_columns(C& ctx, int rows, int columns) {
  const int down = (rows + 3) / 4, right = (columns + 3) / 4;
  return {ctx.thread() < down * right, ctx.thread() % down, ctx.thread() / down};
}

using PatchSum = float[4][4];

/// sum += a^T b over `depth`.
template <class C>
SV_DEVICE void multiply_patch(
    C& ctx, const HeadTile& a, const HeadTile& b, const Patch& at, int depth, PatchSum& sum) {
  auto rows = a.fours(ctx);
  auto columns = b.fours(ctx);
#if defined(__CUDACC__)
#pragma unroll 2  // four steps keep 32 operands in registers, and dk and dv then do not fit 128
#endif
  for (int k = 0; k < depth; ++k) {
    const simt::Float4 x = rows[k * a.groups + at.row], y = columns[k * b.groups + at.column];
    for (int i = 0; i < 4; ++i) {
      for (int j = 0; j < 4; ++j) {
        sum[i][j] = ctx.fma(x.at[i], y.at[j], sum[i][j]);
      }
    }
  }
}

/// Where c (rows, columns) goes, and comes from when it is added to.
struct HeadTarget {
  float* data;
  int64_t apart;
  int rows, columns;
  bool vector;
};
SV_DEVICE void start_patch(PatchSum& sum, const HeadTarget& c, const Patch& at, bool adds) {
  for (int i = 0; i < 4; ++i) {
    const int row = 4 * at.row + i;
    const simt::Float4 v =
        HeadSource{c.data, c.apart, adds && at.mine ? c.rows : 0, c.columns, c.vector}.at(
            row, 4 * at.column);
    for (int j = 0; j < 4; ++j) {
      sum[i][j] = v.at[j];
    }
  }
}
SV_DEVICE void put_patch(const PatchSum& sum, const HeadTarget& c, const Patch& at) {
  for (int i = 0; i < 4 && at.mine; ++i) {
    const int row = 4 * at.row + i, column = 4 * at.column;
    if (row < c.rows && column < c.columns) {
      float* to = c.data + row * c.apart + column;
      if (c.vector) {
        simt::store4(to, {sum[i][0], sum[i][1], sum[i][2], sum[i][3]});
      } else {
        for (int j = 0; j < 4 && column + j < c.columns; ++j) {
          to[j] = sum[i][j];
        }
      }
    }
  }
}

}  // namespace sv::ops
