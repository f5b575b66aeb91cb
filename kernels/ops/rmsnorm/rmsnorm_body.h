// Kernels of rmsnorm: a team of threads per row (kernels/simt/row_team.h); dgain in two stages.
#pragma once
#include "kernels/ops/column_sums_body.h"
#include "kernels/simt/row_team.h"

namespace sv::ops {

struct RmsNormForward {
  static constexpr const char* kName = "rmsnorm_forward";
  struct Args {
    const float* x;     // (M, N, D)
    const float* gain;  // (M, D) or null
    float* y;           // (M, N, D)
    float* inv_rms;     // (M, N)
    int64_t N, D;
    float eps;
    simt::RowTeamShape team;
    LiveModels models;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const simt::RowTeam<C> team(ctx, a.team);
    const int64_t m = a.models.model(ctx.block_y()), n = team.row();
    const bool live = n < a.N;
    const int64_t row = m * a.N + n, D = live ? a.D : 0;
    const float* x = a.x + row * a.D;
    float squares = 0.0f;
    team.each_group(D, [&](int64_t i, int count) {
      const simt::Float4 v = team.load(x, i, count);
      for (int k = 0; k < 4; ++k) {
        squares = squares + v.at[k] * v.at[k];
      }
    });
    const float mean = team.sum(squares) / static_cast<float>(a.D);
    const float inv = 1.0f / std::sqrt(mean + a.eps);
    if (live && team.leads()) {
      a.inv_rms[row] = inv;
    }
    team.each_group(D, [&](int64_t i, int count) {
      simt::Float4 v = team.load(x, i, count);
      for (int k = 0; k < 4; ++k) {
        v.at[k] = v.at[k] * inv;
      }
      if (a.gain) {
        const simt::Float4 g = team.load(a.gain + m * a.D, i, count);
        for (int k = 0; k < 4; ++k) {
          v.at[k] = v.at[k] * g.at[k];
        }
      }
      team.put(a.y + row * a.D, i, count, v, false);
    });
  }
};

struct RmsNormDx {
  static constexpr const char* kName = "rmsnorm_dx";
  struct Args {
    const float* x;        // (M, N, D)
    const float* gain;     // (M, D) or null
    const float* inv_rms;  // (M, N)
    const float* dy;       // (M, N, D)
    float* dx;             // (M, N, D)
    int64_t N, D;
    bool adds;
    simt::RowTeamShape team;
    LiveModels models;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const simt::RowTeam<C> team(ctx, a.team);
    const int64_t m = a.models.model(ctx.block_y()), n = team.row();
    const bool live = n < a.N;
    const int64_t row = m * a.N + n, D = live ? a.D : 0;
    const float* x = a.x + row * a.D;
    const float* dy = a.dy + row * a.D;
    const auto scaled_dy = [&](int64_t i, int count) {
      simt::Float4 g = team.load(dy, i, count);
      if (a.gain) {
        const simt::Float4 gain = team.load(a.gain + m * a.D, i, count);
        for (int k = 0; k < 4; ++k) {
          g.at[k] = g.at[k] * gain.at[k];
        }
      }
      return g;
    };
    float dot = 0.0f;
    team.each_group(D, [&](int64_t i, int count) {
      const simt::Float4 v = team.load(x, i, count), g = scaled_dy(i, count);
      for (int k = 0; k < 4; ++k) {
        dot = dot + v.at[k] * g.at[k];
      }
    });
    const float sum = team.sum(dot);
    const float inv = live ? a.inv_rms[row] : 0.0f;
    const float pull = inv * inv * (sum / static_cast<float>(a.D));
    team.each_group(D, [&](int64_t i, int count) {
      const simt::Float4 v = team.load(x, i, count);
      simt::Float4 g = scaled_dy(i, count);
      for (int k = 0; k < 4; ++k) {
        g.at[k] = inv * (g.at[k] - v.at[k] * pull);
      }
      team.put(a.dx + row * a.D, i, count, g, a.adds);
    });
  }
};

/// Stage 1 of dgain = sum_n dy x inv_rms.
struct RmsNormDgain {
  static constexpr const char* kName = "rmsnorm_dgain";
  struct Args {
    const float* x;        // (M, N, D)
    const float* inv_rms;  // (M, N)
    const float* dy;       // (M, N, D)
    float* partial;        // (live, blocks, 1, D)
    ColumnBlocks blocks;
    LiveModels models;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const int64_t first = a.models.model(ctx.block_y()) * a.blocks.rows;
    const int64_t D = a.blocks.columns;
    column_partials<1>(
        ctx, a.blocks, ctx.block_y(), a.partial, [&](int64_t n, int64_t c, float* t) {
          const int64_t at = (first + n) * D + c;
          t[0] = a.dy[at] * a.x[at] * a.inv_rms[first + n];
        });
  }
};

template <class Table>
void rmsnorm_kernels(Table& t) {
  t.template add<RmsNormForward>();
  t.template add<RmsNormDx>();
  t.template add<RmsNormDgain>();
}

}  // namespace sv::ops
