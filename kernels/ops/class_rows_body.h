// Rows of V logits on a device: their targets, the team that shares a row, and the two numbers of
// its softmax.
#pragma once
#include "kernels/math/point.h"
#include "kernels/simt/live_models.h"
#include "kernels/simt/row_team.h"

namespace sv::ops {

/// As simt::row_team, but a few classes take 1, 2 or 4 lanes: with ten classes, 8 lanes would leave
/// five of them idle.
inline simt::RowTeamShape class_team(int64_t V, bool aligned) {
  simt::RowTeamShape shape = simt::row_team(V, aligned);
  if (V <= 16) {
    shape.lanes = V <= 4 ? 1 : V <= 8 ? 2 : 4;
  }
  return shape;
}

/// Target classes (1|M, N): -1 = none. Any other value outside [0, V) is no class; there the host
/// throws, and a kernel gives NaN, which no check of losses or gradients passes over.
struct Targets {
  const int* targets;
  int64_t stride;  // between models, 0 = shared
  SV_DEVICE int at(int64_t m, int64_t n) const { return targets[m * stride + n]; }
  SV_DEVICE static bool is_class(int target, int64_t V) { return target >= 0 && target < V; }
};

/// log sum_v exp(x_v) = most + log(sum).
struct ClassSums {
  float most, sum;
  SV_DEVICE float logz() const { return most + point::log_poly(sum); }
};

/// Of a row of V logits, V = 0 for a team without a row. Reads the row twice: the second time from
/// L1, as a block's rows are at most 16 KiB. NaN in, NaN out.
template <class C>
SV_DEVICE ClassSums class_sums(const simt::RowTeam<C>& team, const float* x, int64_t V) {
  float most = -INFINITY;
  team.each_group(V, [&](int64_t i, int count) {
    const simt::Float4 v = team.load(x, i, count, -INFINITY);
    for (int k = 0; k < 4; ++k) {
      most = most > v.at[k] || most != most ? most : v.at[k];
    }
  });
  most = team.max(most);
  float sum = 0.0f;
  team.each_group(V, [&](int64_t i, int count) {
    const simt::Float4 v = team.load(x, i, count);
    for (int k = 0; k < 4; ++k) {
      const float e = point::exp_poly(v.at[k] - most);
      sum = sum + (k < count ? e : 0.0f);
    }
  });
  return {most, team.sum(sum)};
}

}  // namespace sv::ops
