// RowTeam: the threads that share one row of D elements. 8, 16 or 32 lanes for short rows (several
// rows per warp), the whole block for long ones. The team depends on D alone, and each thread takes
// groups of four neighbours whether or not they are loaded at once: so do the bits.
#pragma once
#include <cstdint>

#include "kernels/simt/reduce.h"

namespace sv::simt {

inline constexpr int kRowThreads = 128;  // threads of a block whose teams are part of a warp
inline constexpr int kWideThreads = 256;
inline constexpr int64_t kWideFrom = 1025;  // from this D on a block shares a row

/// Chosen by the host, passed in the arguments.
struct RowTeamShape {
  int lanes = 32;       // of one team
  bool wide = false;    // the block is the team
  bool vector = false;  // D and all pointers allow 16 bytes at once

  SV_HD int rows_per_block() const { return wide ? 1 : kRowThreads / lanes; }
};

/// Team for rows of D elements; `aligned`: every row pointer is aligned to 16 bytes if D % 4 == 0.
inline RowTeamShape row_team(int64_t D, bool aligned) {
  RowTeamShape shape;
  shape.wide = D >= kWideFrom;
  shape.lanes = shape.wide ? kWideThreads : D <= 32 ? 8 : D <= 64 ? 16 : 32;
  shape.vector = aligned && D % 4 == 0;
  return shape;
}

template <class C>
class RowTeam {
 public:
  SV_DEVICE RowTeam(C& ctx, const RowTeamShape& shape)
      : ctx_(ctx), shape_(shape), rank_(ctx.thread() % shape.lanes) {}

  /// The row of this team; it may lie behind the last one, and then takes part in sums only.
  SV_DEVICE int64_t row() const {
    return static_cast<int64_t>(ctx_.block_x()) * shape_.rows_per_block() +
           ctx_.thread() / shape_.lanes;
  }
  SV_DEVICE bool leads() const { return rank_ == 0; }

  /// Calls f(i, count) for this thread's groups [i, i + count), count <= 4.
  template <class F>
  SV_DEVICE void each_group(int64_t D, F&& f) const {
    for (int64_t i = rank_ * 4; i < D; i += shape_.lanes * 4) {
      f(i, D - i < 4 ? static_cast<int>(D - i) : 4);
    }
  }
  /// Elements [i, i + count) of a row, `rest` behind them.
  SV_DEVICE Float4 load(const float* row, int64_t i, int count, float rest = 0.0f) const {
    if (shape_.vector) {
      return load4(row + i);
    }
    Float4 v;
    for (int k = 0; k < 4; ++k) {
      v.at[k] = k < count ? row[i + k] : rest;
    }
    return v;
  }
  /// Writes, or adds.
  SV_DEVICE void put(float* row, int64_t i, int count, Float4 v, bool adds) const {
    if (adds) {
      const Float4 old = load(row, i, count);
      for (int k = 0; k < 4; ++k) {
        v.at[k] = old.at[k] + v.at[k];
      }
    }
    if (shape_.vector) {
      store4(row + i, v);
      return;
    }
    for (int k = 0; k < 4; ++k) {  // a loop to count would index v at run time: local memory
      if (k < count) {
        row[i + k] = v.at[k];
      }
    }
  }
  /// The team's values joined by a fixed tree; every thread has the result. All threads of the
  /// block call it. `join` must not care about the order of its arguments.
  template <class T, class F>
  SV_DEVICE T reduce(T x, T neutral, F&& join) const {
    if (shape_.wide) {
      return block_reduce(ctx_, x, neutral, 0, join);
    }
    for (int by = shape_.lanes / 2; by > 0; by /= 2) {
      x = join(x, ctx_.shfl_xor(x, by));
    }
    return x;
  }
  SV_DEVICE float sum(float x) const {
    return reduce(x, 0.0f, [](float a, float b) { return a + b; });
  }
  SV_DEVICE float max(float x) const {
    return reduce(x, -INFINITY, [](float a, float b) { return a > b || a != a ? a : b; });
  }

 private:
  C& ctx_;
  RowTeamShape shape_;
  int rank_;
};

}  // namespace sv::simt
