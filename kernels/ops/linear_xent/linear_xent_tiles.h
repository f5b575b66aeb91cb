// The tiles of linear_xent's kernels: logits of R rows (64, or 16) and 16 J classes, and products
// of what becomes of them with 16 rows of x or w, 128 columns at a time.
#pragma once
#include "kernels/ops/class_rows_body.h"

namespace sv::ops {

inline constexpr int kXentDepth = 16;   // of k at a time
inline constexpr int kXentWidth = 128;  // columns of dx and dw at a time
// Rows of the tiles in shared memory, padded so that columns spread over the banks and 16 bytes
// stay aligned.
inline constexpr int kXentWideStride = kXentWidth + 4;
constexpr int xent_slope_stride(int R) {
  return R + 4;
}
/// Threads of a block: R / 4 x 16; ty is a group of 4 rows, tx a group of classes.
constexpr int xent_threads(int R) {
  return 4 * R;
}

/// Bytes of shared memory: x and w tiles, then slopes, then 16 wide rows. Forward: the tiles, then
/// targets and their logits.
constexpr int xent_tile_bytes(int J, int R) {
  return kXentDepth * (xent_slope_stride(R) + 16 * J + 4) * 4;
}
constexpr int xent_slope_bytes(int J, int R) {  // (class, row) or (row, class), whichever is larger
  const int by_class = 16 * J * xent_slope_stride(R), by_row = R * (16 * J + 4);
  return 4 * (by_class > by_row ? by_class : by_row);
}
constexpr int xent_forward_bytes(int J, int R) {
  return xent_tile_bytes(J, R) + 2 * R * 4;
}
constexpr int xent_vjp_bytes(int J, int R) {
  return xent_tile_bytes(J, R) + xent_slope_bytes(J, R) + 16 * kXentWideStride * 4;
}

struct LinearXentData {
  const float* x;     // (M, N, D)
  const float* w;     // (M, V, D)
  const float* bias;  // (M, V) or null
  Targets targets;
  int64_t N, V, D;
};

/// Sum over the 16 lanes that share a row of logits; each has it.
template <class C>
SV_DEVICE float xent_row_sum(C& ctx, float x) {
  for (int by = 8; by > 0; by /= 2) {
    x = x + ctx.shfl_xor(x, by);
  }
  return x;
}

template <int J, int R, class C>
class LogitTiles {
 public:
  SV_DEVICE LogitTiles(C& ctx, const LinearXentData& data, int64_t model)
      : ctx_(ctx), data_(data), model_(model) {}

  SV_DEVICE int64_t model() const { return model_; }
  SV_DEVICE int tx() const { return ctx_.thread() % 16; }
  SV_DEVICE int ty() const { return ctx_.thread() / 16; }
  SV_DEVICE bool leads() const { return tx() == 0; }
  /// Places of this thread's logits in the tile.
  SV_DEVICE int row(int i) const { return 4 * ty() + i; }
  SV_DEVICE int column(int j) const { return J * tx() + j; }

  /// Logits of rows from `first` and classes from v: each one chain over k, then the bias; -inf
  /// behind the last class.
  SV_DEVICE void logits(int64_t first, int64_t v, float (&z)[4][J]) const {
    for (int i = 0; i < 4; ++i) {
      for (int j = 0; j < J; ++j) {
        z[i][j] = 0.0f;
      }
    }
    for (int64_t k = 0; k < data_.D; k += kXentDepth) {
      ctx_.barrier();  // the tiles are free
      load_deep(data_.x + model_ * data_.N * data_.D, first, data_.N, k, R, 0, kStride);
      load_deep(data_.w + model_ * data_.V * data_.D, v, data_.V, k, 16 * J, kWAt, kWStride);
      ctx_.barrier();
      add_products(z);
    }
    for (int j = 0; j < J; ++j) {
      const int64_t c = v + column(j);
      const float bias = data_.bias && c < data_.V ? data_.bias[model_ * data_.V + c] : 0.0f;
      for (int i = 0; i < 4; ++i) {
        z[i][j] = c < data_.V ? (data_.bias ? z[i][j] + bias : z[i][j]) : -INFINITY;
      }
    }
  }

  SV_DEVICE auto slopes() const {
    return ctx_.template shared<float>(xent_tile_bytes(J, R), xent_slope_bytes(J, R) / 4);
  }
  SV_DEVICE auto slopes4() const {
    return ctx_.template shared<simt::Float4>(xent_tile_bytes(J, R), xent_slope_bytes(J, R) / 16);
  }

  /// Takes 16 rows from `first` of a matrix (rows, D), columns from k, between two barriers: the
  /// slopes of all threads are there when it returns.
  SV_DEVICE void load_wide(const float* matrix, int64_t first, int64_t rows, int64_t k) const {
    auto wide = ctx_.template shared<float>(kWideAt, 16 * kXentWideStride);
    ctx_.barrier();
    for (int e = ctx_.thread(); e < 16 * kXentWidth; e += kThreads) {
      const int64_t r = first + e / kXentWidth, c = k + e % kXentWidth;
      wide[e / kXentWidth * kXentWideStride + e % kXentWidth] =
          r < rows && c < data_.D ? matrix[r * data_.D + c] : 0.0f;
    }
    ctx_.barrier();
  }
  /// sum[i] += g[i] * row r of the wide tile, columns 4 tx to 4 tx + 3 of each 64.
  template <int I>
  SV_DEVICE void multiply(int r, const float (&g)[I], float (&sum)[I][8]) const {
    auto wide = ctx_.template shared<simt::Float4>(kWideAt, 16 * kXentWideStride / 4);
    for (int half = 0; half < 2; ++half) {
      const simt::Float4 x = wide[r * (kXentWideStride / 4) + 16 * half + tx()];
      for (int i = 0; i < I; ++i) {
        for (int e = 0; e < 4; ++e) {
          sum[i][4 * half + e] = ctx_.fma(g[i], x.at[e], sum[i][4 * half + e]);
        }
      }
    }
  }
  /// Stores (or adds) this thread's sums to columns from k of a row of D.
  SV_DEVICE void put_wide(float* row, int64_t k, const float (&sum)[8], bool adds) const {
    for (int e = 0; e < 8; ++e) {
      const int64_t c = k + 64 * (e / 4) + 4 * tx() + e % 4;
      if (c < data_.D) {
        row[c] = adds ? row[c] + sum[e] : sum[e];
      }
    }
  }

 private:
  static constexpr int kThreads = xent_threads(R), kStride = xent_slope_stride(R);
  static constexpr int kWAt = kXentDepth * kStride * 4;  // bytes
  static constexpr int kWStride = 16 * J + 4;
  static constexpr int kWideAt = xent_tile_bytes(J, R) + xent_slope_bytes(J, R);

  /// `count` rows from `first` of a matrix (rows, D), k to k + 15, as (k, row) at `byte`.
  SV_DEVICE void load_deep(const float* matrix,
                           int64_t first,
                           int64_t rows,
                           int64_t k,
                           int count,
                           int byte,
                           int stride) const {
    auto tile = ctx_.template shared<float>(byte, kXentDepth * stride);
    SV_UNROLL(1)
    for (int e = ctx_.thread(); e < count * kXentDepth; e += kThreads) {
      const int64_t r = first + e / kXentDepth, c = k + e % kXentDepth;
      tile[e % kXentDepth * stride + e / kXentDepth] =
          r < rows && c < data_.D ? matrix[r * data_.D + c] : 0.0f;
    }
  }
  SV_DEVICE void add_products(float (&z)[4][J]) const {
    auto x = ctx_.template shared<simt::Float4>(0, kXentDepth * kStride / 4);
    auto w = ctx_.template shared<float>(kWAt, kXentDepth * kWStride);
    auto w4 = ctx_.template shared<simt::Float4>(kWAt, kXentDepth * kWStride / 4);
    SV_UNROLL(4)
    for (int k = 0; k < kXentDepth; ++k) {
      const simt::Float4 rows = x[k * (kStride / 4) + ty()];
      simt::Float4 columns;
      if constexpr (J == 4) {
        columns = w4[k * (kWStride / 4) + tx()];
      } else {
        columns.at[0] = w[k * kWStride + tx()];
      }
      for (int i = 0; i < 4; ++i) {
        for (int j = 0; j < J; ++j) {
          z[i][j] = ctx_.fma(rows.at[i], columns.at[j], z[i][j]);
        }
      }
    }
  }

  C& ctx_;
  const LinearXentData& data_;
  int64_t model_;
};

}  // namespace sv::ops
