// Kernels of linear_xent. A block of 4 R threads makes the logits of R rows (64, or 16 where the
// rows of the pack are few) and 16 J classes (J = 1 or 4) from tiles of x and w in shared memory,
// 4 x J a thread, and uses them at once: for the running sums of exponentials, or as gradients for
// a second product with w or x. R decides no bit, and J none of a gradient.
//
// The floor is the arithmetic, 2 N V D flops forward on the f32 pipes. With J = 4 a thread issues
// 16 multiply-adds per two reads of 16 bytes from shared memory, which leaves the pipes the limit.
// J = 1 keeps the waste below 16 / V for a few classes. dx and dw make the logits again: one more N
// V D each up to D = 128.
#pragma once
#include "kernels/ops/linear_xent/linear_xent_tiles.h"

namespace sv::ops {

/// What the gradient of a logit needs besides the logit.
struct XentSlopes {
  const float* weight;  // (1|M, N)
  int64_t weight_stride;
  const float* logz;   // (M, N)
  const float* dloss;  // (M)
};

struct LinearXentForwardArgs {
  LinearXentData data;
  float* nll;   // (M, N)
  float* logz;  // (M, N)
  LiveModels models;
};

/// Running sum of exponentials below a running maximum.
struct OnlineSum {
  float most = -INFINITY, sum = 0.0f;

  template <int J>
  SV_DEVICE void add(const float (&z)[J]) {
    float now = most;
    for (int j = 0; j < J; ++j) {
      now = now > z[j] || now != now ? now : z[j];
    }
    if (now == -INFINITY) {
      return;  // only places behind the last class
    }
    float added = 0.0f;
    for (int j = 0; j < J; ++j) {
      added = added + point::exp_poly(z[j] - now);
    }
    sum = sum * point::exp_poly(most - now) + added;
    most = now;
  }
  /// Joins the 16 lanes of a row.
  template <class C>
  SV_DEVICE void join(C& ctx) {
    float all = most;
    for (int by = 8; by > 0; by /= 2) {
      const float other = ctx.shfl_xor(all, by);
      all = all > other || all != all ? all : other;
    }
    sum = most == -INFINITY ? 0.0f : sum * point::exp_poly(most - all);
    most = all;
    sum = xent_row_sum(ctx, sum);
  }
};

template <int J, int R>
struct LinearXentForward {
  static constexpr const char* kFew =
      J == 1 ? "linear_xent_forward_16_few" : "linear_xent_forward_64_few";
  static constexpr const char* kMany = J == 1 ? "linear_xent_forward_16" : "linear_xent_forward_64";
  static constexpr const char* kName = R == 16 ? kFew : kMany;
  using Args = LinearXentForwardArgs;
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    LogitTiles<J, R, C> tiles(ctx, a.data, a.models.model(ctx.block_y()));
    const int64_t m = tiles.model(), first = static_cast<int64_t>(ctx.block_x()) * R;
    // In shared memory rather than in eight registers: the target of each row, and its logit, which
    // one thread meets on its way.
    auto targets = ctx.template shared<int>(xent_tile_bytes(J, R), R);
    auto hits = ctx.template shared<float>(xent_tile_bytes(J, R) + R * 4, R);
    if (ctx.thread() < R) {
      const int64_t n = first + ctx.thread();
      targets[ctx.thread()] = n < a.data.N ? a.data.targets.at(m, n) : -1;
      hits[ctx.thread()] = NAN;  // stays where the target is no class
    }
    OnlineSum sums[4];
    for (int v = 0; v < a.data.V; v += 16 * J) {
      float z[4][J];
      tiles.logits(first, v, z);  // its barriers: the targets are there
      for (int i = 0; i < 4; ++i) {
        sums[i].add(z[i]);
        const int target = targets[tiles.row(i)];
        for (int j = 0; j < J; ++j) {
          if (target >= 0 && v + tiles.column(j) == target) {
            hits[tiles.row(i)] = z[i][j];
          }
        }
      }
    }
    ctx.barrier();
    for (int i = 0; i < 4; ++i) {
      sums[i].join(ctx);
      const int64_t n = first + tiles.row(i);
      if (n < a.data.N && tiles.leads()) {
        const int target = targets[tiles.row(i)];
        const float logz = sums[i].most + point::log_poly(sums[i].sum), hit = hits[tiles.row(i)];
        a.logz[m * a.data.N + n] = logz;
        a.nll[m * a.data.N + n] =
            target == -1 ? 0.0f : (Targets::is_class(target, a.data.V) ? logz - hit : NAN);
      }
    }
  }
};

/// dloss weight (exp(z - logz) - [v = target]) of this thread's logits: 0 outside the tensor.
template <int J, int R, class C>
SV_DEVICE void make_slopes(const LogitTiles<J, R, C>& tiles,
                           const LinearXentData& data,
                           const XentSlopes& s,
                           int64_t first,
                           int64_t v,
                           float (&z)[4][J]) {
  const int64_t m = tiles.model();
  for (int i = 0; i < 4; ++i) {
    const int64_t n = first + tiles.row(i);
    const int target = n < data.N ? data.targets.at(m, n) : -1;
    const bool known = Targets::is_class(target, data.V);
    const float factor = known ? s.dloss[m] * s.weight[m * s.weight_stride + n] : NAN;
    const float logz = target == -1 ? 0.0f : s.logz[m * data.N + n];
    for (int j = 0; j < J; ++j) {
      const int64_t c = v + tiles.column(j);
      const float p = point::exp_poly(z[i][j] - logz);
      const float slope = factor * (c == target ? p - 1.0f : p);
      z[i][j] = target == -1 || c >= data.V ? 0.0f : slope;  // not 0 * p: also where p is NaN
    }
  }
}

struct LinearXentDxArgs {
  LinearXentData data;
  XentSlopes slopes;
  float* dx;  // (M, N, D)
  bool adds;
  LiveModels models;
};

/// dx of R rows and 128 columns, over the classes in tiles.
template <int J, int R>
struct LinearXentDx {
  static constexpr const char* kFew = J == 1 ? "linear_xent_dx_16_few" : "linear_xent_dx_64_few";
  static constexpr const char* kMany = J == 1 ? "linear_xent_dx_16" : "linear_xent_dx_64";
  static constexpr const char* kName = R == 16 ? kFew : kMany;
  using Args = LinearXentDxArgs;
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const LinearXentData& d = a.data;
    constexpr int kStride = xent_slope_stride(R);
    LogitTiles<J, R, C> tiles(ctx, d, a.models.model(ctx.block_y()));
    const int64_t m = tiles.model(), first = static_cast<int64_t>(ctx.block_x()) * R;
    const int64_t k = static_cast<int64_t>(ctx.block_z()) * kXentWidth;
    auto slopes = tiles.slopes();
    float sum[4][8] = {};
    for (int64_t v = 0; v < d.V; v += 16 * J) {
      float z[4][J];
      tiles.logits(first, v, z);
      make_slopes(tiles, d, a.slopes, first, v, z);
      for (int i = 0; i < 4; ++i) {
        for (int j = 0; j < J; ++j) {
          slopes[tiles.column(j) * kStride + tiles.row(i)] = z[i][j];
        }
      }
      for (int part = 0; part < J; ++part) {
        tiles.load_wide(d.w + m * d.V * d.D, v + 16 * part, d.V, k);
        for (int c = 0; c < 16; ++c) {
          const simt::Float4 g = tiles.slopes4()[(16 * part + c) * (kStride / 4) + tiles.ty()];
          tiles.template multiply<4>(c, g.at, sum);
        }
      }
    }
    for (int i = 0; i < 4; ++i) {
      const int64_t n = first + tiles.row(i);
      if (n < d.N) {
        tiles.put_wide(a.dx + (m * d.N + n) * d.D, k, sum[i], a.adds);
      }
    }
  }
};

inline constexpr int kXentRows =
    64;  // of a tile in dw, where the threads also are 16 groups of classes

struct LinearXentDwArgs {
  LinearXentData data;
  XentSlopes slopes;
  float* dw;     // (live, splits, V, D) or null
  float* dbias;  // (live, splits, V) or null
  int splits, split_tiles;
  LiveModels models;
};

/// Partial dw of 16 J classes and 128 columns, and dbias, over the rows of one split.
template <int J>
struct LinearXentDw {
  static constexpr const char* kName = J == 1 ? "linear_xent_dw_16" : "linear_xent_dw_64";
  using Args = LinearXentDwArgs;
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const LinearXentData& d = a.data;
    constexpr int kStride = 16 * J + 4;
    LogitTiles<J, kXentRows, C> tiles(ctx, d, a.models.model(ctx.block_y()));
    const int split = ctx.block_x() % a.splits;
    const int64_t m = tiles.model(), v = static_cast<int64_t>(ctx.block_x() / a.splits) * 16 * J;
    const int64_t k = static_cast<int64_t>(ctx.block_z()) * kXentWidth;
    const int64_t begin = static_cast<int64_t>(split) * a.split_tiles * kXentRows;
    const int64_t end = begin + static_cast<int64_t>(a.split_tiles) * kXentRows;
    auto slopes = tiles.slopes();
    float sum[J][8] = {}, total[J] = {};
    for (int64_t first = begin; first < end && first < d.N; first += kXentRows) {
      float z[4][J];
      tiles.logits(first, v, z);
      make_slopes(tiles, d, a.slopes, first, v, z);
      for (int i = 0; i < 4; ++i) {
        for (int j = 0; j < J; ++j) {
          slopes[tiles.row(i) * kStride + tiles.column(j)] = z[i][j];
        }
      }
      for (int part = 0; part < kXentRows; part += 16) {
        tiles.load_wide(d.x + m * d.N * d.D, first + part, d.N, k);
        for (int r = 0; r < 16; ++r) {
          float g[J];
          for (int j = 0; j < J; ++j) {
            g[j] = slopes[(part + r) * kStride + tiles.ty() * J + j];
            total[j] = total[j] + g[j];
          }
          tiles.template multiply<J>(r, g, sum);
        }
      }
    }
    const int64_t at = (static_cast<int64_t>(ctx.block_y()) * a.splits + split) * d.V;
    for (int j = 0; j < J; ++j) {
      const int64_t c = v + tiles.ty() * J + j;
      if (c < d.V && a.dw) {
        tiles.put_wide(a.dw + (at + c) * d.D, k, sum[j], false);
      }
      if (c < d.V && a.dbias && ctx.block_z() == 0 && tiles.leads()) {
        a.dbias[at + c] = total[j];
      }
    }
  }
};

template <class Table>
void linear_xent_kernels(Table& t) {
  t.template add<LinearXentForward<1, 16>>();
  t.template add<LinearXentForward<1, 64>>();
  t.template add<LinearXentForward<4, 16>>();
  t.template add<LinearXentForward<4, 64>>();
  t.template add<LinearXentDx<1, 16>>();
  t.template add<LinearXentDx<1, 64>>();
  t.template add<LinearXentDx<4, 16>>();
  t.template add<LinearXentDx<4, 64>>();
  t.template add<LinearXentDw<1>>();
  t.template add<LinearXentDw<4>>();
}

}  // namespace sv::ops
