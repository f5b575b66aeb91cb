// Kernels of the reductions. Sums in double are those of one block's threads, then a fixed tree,
// then (for whole models) the blocks in the same way.
#pragma once
#include "kernels/simt/live_models.h"
#include "kernels/simt/row_team.h"

namespace sv::ops {

inline constexpr int kReduceThreads = 256;
/// Elements that one block of a whole model's sum takes: each thread 64, so that a model of 2^22
/// elements fills a chip alone.
inline constexpr int64_t kStateElements = 64 * kReduceThreads;

template <class C, class T>
SV_DEVICE T block_total(C& ctx, T x) {
  return simt::block_reduce(ctx, x, T{0}, 0, [](T a, T b) { return a + b; });
}

/// y (M, B, D) = mean of x (M, B, T, D) over T, ascending; a thread per element of y.
struct MeanPositions {
  static constexpr const char* kName = "mean_positions";
  struct Args {
    const float* x;
    float* y;
    int64_t B, T, D;
    LiveModels models;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const int64_t e = static_cast<int64_t>(ctx.block_x()) * kReduceThreads + ctx.thread();
    if (e >= a.B * a.D) {
      return;
    }
    const int64_t row = a.models.model(ctx.block_y()) * a.B + e / a.D, d = e % a.D;
    const float* x = a.x + row * a.T * a.D + d;
    float sum = 0.0f;
    for (int64_t t = 0; t < a.T; ++t) {
      sum = sum + x[t * a.D];
    }
    a.y[row * a.D + d] = sum * (1.0f / static_cast<float>(a.T));
  }
};

/// dx (M, B T, D) (=|+=) dy (M, B, D) / T; a team per row of dx.
struct MeanPositionsDx {
  static constexpr const char* kName = "mean_positions_dx";
  struct Args {
    const float* dy;
    float* dx;
    int64_t B, T, D;
    bool adds;
    simt::RowTeamShape team;
    LiveModels models;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const simt::RowTeam<C> team(ctx, a.team);
    const int64_t m = a.models.model(ctx.block_y()), n = team.row(), N = a.B * a.T;
    const float* dy = a.dy + (m * a.B + n / a.T) * a.D;
    const float share = 1.0f / static_cast<float>(a.T);
    team.each_group(n < N ? a.D : 0, [&](int64_t i, int count) {
      simt::Float4 v = team.load(dy, i, count);
      for (int k = 0; k < 4; ++k) {
        v.at[k] = v.at[k] * share;
      }
      team.put(a.dx + (m * N + n) * a.D, i, count, v, a.adds);
    });
  }
};

/// out (M, B) = |h - h_prev| / |h| over `size` elements; a block per example.
struct Change {
  static constexpr const char* kName = "change";
  struct Args {
    const float* h;
    const float* h_prev;
    float* out;
    int64_t B, size;
    LiveModels models;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const int64_t b = a.models.model(ctx.block_y()) * a.B + ctx.block_x();
    double moved = 0, length = 0;
    for (int64_t i = ctx.thread(); i < a.size; i += kReduceThreads) {
      const auto now = static_cast<double>(a.h[b * a.size + i]);
      const double step = now - static_cast<double>(a.h_prev[b * a.size + i]);
      moved = moved + step * step;
      length = length + now * now;
    }
    moved = block_total(ctx, moved);
    length = block_total(ctx, length);
    if (ctx.thread() == 0) {
      a.out[b] = moved == 0 ? 0.0f : static_cast<float>(std::sqrt(moved) / std::sqrt(length));
    }
  }
};

/// What a whole model's elements are summed into, in two stages.
struct SumSquares {
  using Sum = double;
  static constexpr const char* kPartials = "sum_squares_partials";
  static constexpr const char* kTotals = "sum_squares_totals";
  SV_DEVICE static double term(float x) { return static_cast<double>(x) * static_cast<double>(x); }
  SV_DEVICE static double result(double sum) { return sum; }
};
struct AllFinite {
  using Sum = int;  // elements that are not
  static constexpr const char* kPartials = "all_finite_partials";
  static constexpr const char* kTotals = "all_finite_totals";
  SV_DEVICE static int term(float x) {
    return x - x == 0.0f ? 0 : 1;  // inf - inf and NaN - NaN are NaN
  }
  SV_DEVICE static int result(int sum) { return sum == 0 ? 1 : 0; }
};

/// Stage 1: partial (live, blocks) of x (M, size).
template <class F>
struct StatePartials {
  static constexpr const char* kName = F::kPartials;
  using Sum = typename F::Sum;
  struct Args {
    const float* x;
    Sum* partial;
    int64_t size;
    LiveModels models;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const float* x = a.x + a.models.model(ctx.block_y()) * a.size;
    const int64_t first = ctx.block_x() * kStateElements;
    const int64_t end = first + kStateElements < a.size ? first + kStateElements : a.size;
    Sum sum{0};
    for (int64_t i = first + ctx.thread(); i < end; i += kReduceThreads) {
      sum = sum + F::term(x[i]);
    }
    sum = block_total(ctx, sum);
    if (ctx.thread() == 0) {
      a.partial[static_cast<int64_t>(ctx.block_y()) * ctx.grid_x() + ctx.block_x()] = sum;
    }
  }
};

/// Stage 2: out (M) from the sum of the blocks. A block per model.
template <class F>
struct StateTotals {
  static constexpr const char* kName = F::kTotals;
  using Sum = typename F::Sum;
  struct Args {
    const Sum* partial;  // (live, blocks)
    Sum* out;
    int64_t blocks;
    LiveModels models;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const Sum* partial = a.partial + ctx.block_x() * a.blocks;
    Sum sum{0};
    for (int64_t i = ctx.thread(); i < a.blocks; i += kReduceThreads) {
      sum = sum + partial[i];
    }
    sum = block_total(ctx, sum);
    if (ctx.thread() == 0) {
      a.out[a.models.model(ctx.block_x())] = F::result(sum);
    }
  }
};

template <class Table>
void reduce_kernels(Table& t) {
  t.template add<MeanPositions>();
  t.template add<MeanPositionsDx>();
  t.template add<Change>();
  t.template add<StatePartials<SumSquares>>();
  t.template add<StatePartials<AllFinite>>();
  t.template add<StateTotals<SumSquares>>();
  t.template add<StateTotals<AllFinite>>();
}

}  // namespace sv::ops
