// Kernels of layernorm: a team of threads per row (kernels/simt/row_team.h); dgain and dbias in two
// stages.
#pragma once
#include "kernels/ops/column_sums_body.h"
#include "kernels/simt/row_team.h"

namespace sv::ops {

struct LayerNormForward {
  static constexpr const char* kName = "layernorm_forward";
  struct Args {
    const float* x;     // (M, N, D)
    const float* gain;  // (M, D) or null
    const float* bias;  // (M, D) or null
    float* y;           // (M, N, D)
    float* stats;       // (M, N, 2): mean, inv_std
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
    float sum = 0.0f, squares = 0.0f;
    team.each_group(D, [&](int64_t i, int count) {
      const simt::Float4 v = team.load(x, i, count);
      for (int k = 0; k < 4; ++k) {
        sum = sum + v.at[k];
      }
    });
    const float mean = team.sum(sum) / static_cast<float>(a.D);
    team.each_group(D, [&](int64_t i, int count) {
      const simt::Float4 v = team.load(x, i, count, mean);
      for (int k = 0; k < 4; ++k) {
        const float deviation = v.at[k] - mean;
        squares = squares + deviation * deviation;
      }
    });
    const float variance = team.sum(squares) / static_cast<float>(a.D);
    const float inv = 1.0f / std::sqrt(variance + a.eps);
    if (live && team.leads()) {
      a.stats[2 * row] = mean;
      a.stats[2 * row + 1] = inv;
    }
    team.each_group(D, [&](int64_t i, int count) {
      simt::Float4 v = team.load(x, i, count);
      const simt::Float4 gain = a.gain ? team.load(a.gain + m * a.D, i, count) : simt::Float4{};
      const simt::Float4 bias = a.bias ? team.load(a.bias + m * a.D, i, count) : simt::Float4{};
      for (int k = 0; k < 4; ++k) {
        const float xhat = (v.at[k] - mean) * inv;
        const float scaled = a.gain ? xhat * gain.at[k] : xhat;
        v.at[k] = a.bias ? scaled + bias.at[k] : scaled;
      }
      team.put(a.y + row * a.D, i, count, v, false);
    });
  }
};

struct LayerNormDx {
  static constexpr const char* kName = "layernorm_dx";
  struct Args {
    const float* x;      // (M, N, D)
    const float* gain;   // (M, D) or null
    const float* stats;  // (M, N, 2)
    const float* dy;     // (M, N, D)
    float* dx;           // (M, N, D)
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
    const float mean = live ? a.stats[2 * row] : 0.0f, inv = live ? a.stats[2 * row + 1] : 0.0f;
    const auto scaled_dy = [&](int64_t i, int count) {
      simt::Float4 g = team.load(a.dy + row * a.D, i, count);
      if (a.gain) {
        const simt::Float4 gain = team.load(a.gain + m * a.D, i, count);
        for (int k = 0; k < 4; ++k) {
          g.at[k] = g.at[k] * gain.at[k];
        }
      }
      return g;
    };
    float sum_g = 0.0f, sum_gx = 0.0f;
    team.each_group(D, [&](int64_t i, int count) {
      const simt::Float4 v = team.load(x, i, count, mean), g = scaled_dy(i, count);
      for (int k = 0; k < 4; ++k) {
        sum_g = sum_g + g.at[k];
        sum_gx = sum_gx + g.at[k] * ((v.at[k] - mean) * inv);
      }
    });
    const float mean_g = team.sum(sum_g) / static_cast<float>(a.D);
    const float mean_gx = team.sum(sum_gx) / static_cast<float>(a.D);
    team.each_group(D, [&](int64_t i, int count) {
      const simt::Float4 v = team.load(x, i, count);
      simt::Float4 g = scaled_dy(i, count);
      for (int k = 0; k < 4; ++k) {
        g.at[k] = inv * (g.at[k] - mean_g - (v.at[k] - mean) * inv * mean_gx);
      }
      team.put(a.dx + row * a.D, i, count, g, a.adds);
    });
  }
};

/// Stage 1 of dgain = sum_n dy xhat and dbias = sum_n dy.
struct LayerNormParameters {
  static constexpr const char* kName = "layernorm_parameters";
  struct Args {
    const float* x;      // (M, N, D)
    const float* stats;  // (M, N, 2)
    const float* dy;     // (M, N, D)
    float* partial;      // (live, blocks, 2, D)
    ColumnBlocks blocks;
    LiveModels models;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const int64_t first = a.models.model(ctx.block_y()) * a.blocks.rows;
    const int64_t D = a.blocks.columns;
    column_partials<2>(
        ctx, a.blocks, ctx.block_y(), a.partial, [&](int64_t n, int64_t c, float* t) {
          const int64_t row = first + n, at = row * D + c;
          t[0] = a.dy[at] * ((a.x[at] - a.stats[2 * row]) * a.stats[2 * row + 1]);
          t[1] = a.dy[at];
        });
  }
};

template <class Table>
void layernorm_kernels(Table& t) {
  t.template add<LayerNormForward>();
  t.template add<LayerNormDx>();
  t.template add<LayerNormParameters>();
}

}  // namespace sv::ops
