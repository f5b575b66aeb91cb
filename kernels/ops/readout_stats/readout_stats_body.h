// Kernels of argmax, confidence, entropy and kl: a team of threads per row (class_rows_body.h). The
// floor is the traffic: the logits once.
#pragma once
#include "kernels/ops/class_rows_body.h"

namespace sv::ops {

/// A class and its value; `none` before any was seen.
struct RankedClass {
  float value;
  int index;

  SV_DEVICE static RankedClass none() { return {-INFINITY, 0x7fffffff}; }
  /// The larger value, the first of equals. A NaN is never larger, as in the CPU's comparison.
  SV_DEVICE static RankedClass better(RankedClass a, RankedClass b) {
    const bool second = b.value > a.value || (b.value == a.value && b.index < a.index);
    return second ? b : a;
  }
};

struct Argmax {
  static constexpr const char* kName = "argmax";
  struct Args {
    const float* logits;  // (M, N, V)
    int* out;             // (M, N)
    int64_t N, V;
    simt::RowTeamShape team;
    LiveModels models;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const simt::RowTeam<C> team(ctx, a.team);
    const int64_t n = team.row(), row = a.models.model(ctx.block_y()) * a.N + n;
    const bool live = n < a.N;
    const float* x = a.logits + row * a.V;
    RankedClass best = RankedClass::none();
    team.each_group(live ? a.V : 0, [&](int64_t i, int count) {
      const simt::Float4 v = team.load(x, i, count);
      for (int k = 0; k < count; ++k) {
        best = RankedClass::better(best, {v.at[k], static_cast<int>(i) + k});
      }
    });
    best = team.reduce(best, RankedClass::none(), [](RankedClass p, RankedClass q) {
      return RankedClass::better(p, q);
    });
    if (live && team.leads()) {
      a.out[row] = x[0] == x[0] ? best.index : 0;  // nothing is larger than a first NaN
    }
  }
};

struct Confidence {
  static constexpr const char* kName = "confidence";
  struct Args {
    const float* logits;  // (M, N, V)
    float* out;           // (M, N)
    int64_t N, V;
    simt::RowTeamShape team;
    LiveModels models;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const simt::RowTeam<C> team(ctx, a.team);
    const int64_t n = team.row(), row = a.models.model(ctx.block_y()) * a.N + n;
    const bool live = n < a.N;
    const ClassSums z = class_sums(team, a.logits + row * a.V, live ? a.V : 0);
    if (live && team.leads()) {
      a.out[row] = 1.0f / z.sum;
    }
  }
};

struct Entropy {
  static constexpr const char* kName = "entropy";
  struct Args {
    const float* logits;  // (M, N, V)
    float* out;           // (M, N)
    int64_t N, V;
    simt::RowTeamShape team;
    LiveModels models;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const simt::RowTeam<C> team(ctx, a.team);
    const int64_t n = team.row(), row = a.models.model(ctx.block_y()) * a.N + n;
    const bool live = n < a.N;
    const int64_t V = live ? a.V : 0;
    const float* x = a.logits + row * a.V;
    const ClassSums z = class_sums(team, x, V);
    float weighted = 0.0f;
    team.each_group(V, [&](int64_t i, int count) {
      const simt::Float4 v = team.load(x, i, count);
      for (int k = 0; k < 4; ++k) {
        const float low = v.at[k] - z.most, term = point::exp_poly(low) * low;
        weighted = weighted + (k < count ? term : 0.0f);
      }
    });
    weighted = team.sum(weighted);
    if (live && team.leads()) {
      a.out[row] = point::log_poly(z.sum) - weighted / z.sum;
    }
  }
};

struct Kl {
  static constexpr const char* kName = "kl";
  struct Args {
    const float* p;  // (M, N, V) logits
    const float* q;  // (M, N, V) logits
    float* out;      // (M, N)
    int64_t N, V;
    simt::RowTeamShape team;
    LiveModels models;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const simt::RowTeam<C> team(ctx, a.team);
    const int64_t n = team.row(), row = a.models.model(ctx.block_y()) * a.N + n;
    const bool live = n < a.N;
    const int64_t V = live ? a.V : 0;
    const float *p = a.p + row * a.V, *q = a.q + row * a.V;
    const ClassSums z_p = class_sums(team, p, V), z_q = class_sums(team, q, V);
    float total = 0.0f;
    team.each_group(V, [&](int64_t i, int count) {
      const simt::Float4 x = team.load(p, i, count), y = team.load(q, i, count);
      for (int k = 0; k < 4; ++k) {
        const float low = x.at[k] - z_p.most;
        const float term = point::exp_poly(low) * (low - (y.at[k] - z_q.most));
        total = total + (k < count ? term : 0.0f);
      }
    });
    total = team.sum(total);
    if (live && team.leads()) {
      const float shift = point::log_poly(z_q.sum) - point::log_poly(z_p.sum);
      const float divergence = total / z_p.sum + shift;
      a.out[row] = divergence < 0.0f ? 0.0f : divergence;  // keeps NaN
    }
  }
};

template <class Table>
void readout_stats_kernels(Table& t) {
  t.template add<Argmax>();
  t.template add<Confidence>();
  t.template add<Entropy>();
  t.template add<Kl>();
}

}  // namespace sv::ops
