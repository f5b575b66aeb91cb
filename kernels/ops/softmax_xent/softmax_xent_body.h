// Kernels of softmax_xent: a team of threads per row (class_rows_body.h). The floor is the traffic:
// the logits once forward (4 V bytes of a row), twice for the VJP; a row's second read is from L1.
// A few exponentials per 16 bytes stay below the time of those bytes.
#pragma once
#include "kernels/ops/class_rows_body.h"

namespace sv::ops {

struct SoftmaxXentForward {
  static constexpr const char* kName = "softmax_xent_forward";
  struct Args {
    const float* logits;  // (M, N, V)
    Targets targets;
    float* nll;   // (M, N)
    float* logz;  // (M, N)
    int64_t N, V;
    simt::RowTeamShape team;
    LiveModels models;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const simt::RowTeam<C> team(ctx, a.team);
    const int64_t m = a.models.model(ctx.block_y()), n = team.row();
    const bool live = n < a.N;
    const int64_t row = m * a.N + n;
    const float* x = a.logits + row * a.V;
    const float logz = class_sums(team, x, live ? a.V : 0).logz();
    if (!live || !team.leads()) {
      return;
    }
    const int target = a.targets.at(m, n);
    a.logz[row] = logz;
    a.nll[row] = target == -1 ? 0.0f : Targets::is_class(target, a.V) ? logz - x[target] : NAN;
  }
};

struct SoftmaxXentDx {
  static constexpr const char* kName = "softmax_xent_dx";
  struct Args {
    const float* logits;  // (M, N, V)
    Targets targets;
    const float* weight;  // (1|M, N)
    const float* logz;    // (M, N)
    const float* dloss;   // (M)
    float* dlogits;       // (M, N, V)
    int64_t N, V, weight_stride;
    bool adds;
    simt::RowTeamShape team;
    LiveModels models;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const simt::RowTeam<C> team(ctx, a.team);
    const int64_t m = a.models.model(ctx.block_y()), n = team.row();
    if (n >= a.N) {
      return;  // nothing below is done together
    }
    const int64_t row = m * a.N + n;
    const int target = a.targets.at(m, n);
    const bool known = Targets::is_class(target, a.V);
    const float factor = known ? a.dloss[m] * a.weight[m * a.weight_stride + n] : NAN;
    const float logz = a.logz[row];
    team.each_group(a.V, [&](int64_t i, int count) {
      simt::Float4 v = team.load(a.logits + row * a.V, i, count);
      for (int k = 0; k < 4; ++k) {
        const float p = point::exp_poly(v.at[k] - logz);
        const float slope = factor * (i + k == target ? p - 1.0f : p);
        v.at[k] = target == -1 ? 0.0f : slope;  // not 0 * p: also where p is NaN
      }
      team.put(a.dlogits + row * a.V, i, count, v, a.adds);
    });
  }
};

template <class Table>
void softmax_xent_kernels(Table& t) {
  t.template add<SoftmaxXentForward>();
  t.template add<SoftmaxXentDx>();
}

}  // namespace sv::ops
