// Kernels of silu_gate: a team of threads per row of F pairs.
#pragma once
#include "kernels/math/point.h"
#include "kernels/simt/live_models.h"
#include "kernels/simt/row_team.h"

namespace sv::ops {

struct SiluGateForward {
  static constexpr const char* kName = "silu_gate_forward";
  struct Args {
    const float* x;  // (M, N, 2F)
    float* y;        // (M, N, F)
    int64_t N, F;
    simt::RowTeamShape team;
    LiveModels models;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const simt::RowTeam<C> team(ctx, a.team);
    const int64_t row = a.models.model(ctx.block_y()) * a.N + team.row();
    const float* gate = a.x + 2 * row * a.F;
    team.each_group(team.row() < a.N ? a.F : 0, [&](int64_t i, int count) {
      const simt::Float4 g = team.load(gate, i, count), up = team.load(gate + a.F, i, count);
      simt::Float4 y;
      for (int k = 0; k < 4; ++k) {
        y.at[k] = point::silu(g.at[k]) * up.at[k];
      }
      team.put(a.y + row * a.F, i, count, y, false);
    });
  }
};

/// Both gradients; one sigmoid serves the value and the derivative.
struct SiluGateDx {
  static constexpr const char* kName = "silu_gate_dx";
  struct Args {
    const float* x;   // (M, N, 2F)
    const float* dy;  // (M, N, F)
    float* dx;        // (M, N, 2F)
    int64_t N, F;
    bool adds;
    simt::RowTeamShape team;
    LiveModels models;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const simt::RowTeam<C> team(ctx, a.team);
    const int64_t row = a.models.model(ctx.block_y()) * a.N + team.row();
    const float* gate = a.x + 2 * row * a.F;
    float* dgate = a.dx + 2 * row * a.F;
    team.each_group(team.row() < a.N ? a.F : 0, [&](int64_t i, int count) {
      const simt::Float4 g = team.load(gate, i, count), up = team.load(gate + a.F, i, count);
      const simt::Float4 dy = team.load(a.dy + row * a.F, i, count);
      simt::Float4 to_gate, to_up;
      for (int k = 0; k < 4; ++k) {
        const float s = point::sigmoid(g.at[k]);
        to_gate.at[k] = dy.at[k] * up.at[k] * (s * (1.0f + g.at[k] * (1.0f - s)));
        to_up.at[k] = dy.at[k] * (g.at[k] * s);
      }
      team.put(dgate, i, count, to_gate, a.adds);
      team.put(dgate + a.F, i, count, to_up, a.adds);
    });
  }
};

template <class Table>
void silu_gate_kernels(Table& t) {
  t.template add<SiluGateForward>();
  t.template add<SiluGateDx>();
}

}  // namespace sv::ops
