// Kernels of unfold and its VJP: copies, so that the floor is the traffic of the patches. The VJP
// gathers: each element of dx adds up its taps in order, and no two threads share one.
#pragma once
#include "kernels/ops/unfold/unfold_grid.h"
#include "kernels/simt/live_models.h"
#include "kernels/simt/row_team.h"

namespace sv::ops {

/// A team per tap of a position: D elements of y from one position of x, or zeros.
struct UnfoldPatches {
  static constexpr const char* kName = "unfold_patches";
  struct Args {
    const float* x;  // (M, B T, D)
    float* y;        // (M, B T, K D)
    PatchGrid grid;
    int64_t N, D;  // rows of one model, B T
    simt::RowTeamShape team;
    LiveModels models;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const simt::RowTeam<C> team(ctx, a.team);
    const int taps = a.grid.taps(), positions = a.grid.height * a.grid.width;
    const int64_t n = team.row() / taps, base = a.models.model(ctx.block_y()) * a.N;
    const int tap = static_cast<int>(team.row() % taps), position = static_cast<int>(n % positions);
    const int from = a.grid.neighbour(position, tap, 1);
    const float* x = a.x + (base + n - position + (from < 0 ? 0 : from)) * a.D;
    float* y = a.y + ((base + n) * taps + tap) * a.D;
    team.each_group(n < a.N ? a.D : 0, [&](int64_t i, int count) {
      simt::Float4 v = {{0.0f, 0.0f, 0.0f, 0.0f}};
      if (from >= 0) {
        v = team.load(x, i, count);
      }
      team.put(y, i, count, v, false);
    });
  }
};

/// A team per position of dx.
struct UnfoldDx {
  static constexpr const char* kName = "unfold_dx";
  struct Args {
    const float* dy;  // (M, B T, K D)
    float* dx;        // (M, B T, D)
    PatchGrid grid;
    int64_t N, D;
    bool adds;
    simt::RowTeamShape team;
    LiveModels models;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const simt::RowTeam<C> team(ctx, a.team);
    const int taps = a.grid.taps(), positions = a.grid.height * a.grid.width;
    const int64_t n = team.row(), row = a.models.model(ctx.block_y()) * a.N + n;
    const int position = static_cast<int>(n % positions);
    float* dx = a.dx + row * a.D;
    team.each_group(n < a.N ? a.D : 0, [&](int64_t i, int count) {
      simt::Float4 sum = {{0.0f, 0.0f, 0.0f, 0.0f}};
      if (a.adds) {
        sum = team.load(dx, i, count);
      }
      for (int tap = 0; tap < taps; ++tap) {
        const int from = a.grid.neighbour(position, tap, -1);
        if (from >= 0) {
          const float* dy = a.dy + ((row - position + from) * taps + tap) * a.D;
          const simt::Float4 v = team.load(dy, i, count);
          for (int k = 0; k < 4; ++k) {
            sum.at[k] = sum.at[k] + v.at[k];
          }
        }
      }
      team.put(dx, i, count, sum, false);
    });
  }
};

template <class Table>
void unfold_kernels(Table& t) {
  t.template add<UnfoldPatches>();
  t.template add<UnfoldDx>();
}

}  // namespace sv::ops
