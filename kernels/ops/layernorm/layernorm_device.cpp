#include "kernels/ops/layernorm/layernorm_device.h"

#include "kernels/ops/arguments.h"
#include "kernels/ops/column_sums_device.h"
#include "kernels/ops/device_rows.h"
#include "kernels/ops/layernorm/layernorm_body.h"

namespace sv::ops::device {

void layernorm(const Context& ctx,
               const Tensor& x,
               const Tensor& gain,
               const Tensor& bias,
               double eps,
               const Tensor& y,
               const Tensor& stats) {
  expect_device_f32(x, "layernorm");
  const int64_t N = stats.dim(1), D = x.dim(-1);
  const LiveModels models = live_models(ctx, x.dim(0));
  const auto team = simt::row_team(D, all_aligned({x.data, gain.data, bias.data, y.data}));
  launch<LayerNormForward>(ctx,
                           rows_shape(team, N, models),
                           {x.as<float>(),
                            data_or_null<float>(gain),
                            data_or_null<float>(bias),
                            y.as<float>(),
                            stats.as<float>(),
                            N,
                            D,
                            static_cast<float>(eps),
                            team,
                            models});
}

void layernorm_vjp(const Context& ctx,
                   const Tensor& x,
                   const Tensor& gain,
                   const Tensor& stats,
                   const Tensor& dy,
                   const Grad& dx,
                   const Grad& dgain,
                   const Grad& dbias) {
  expect_device_f32(x, "layernorm_vjp");
  const int64_t N = stats.dim(1), D = x.dim(-1);
  const LiveModels models = live_models(ctx, x.dim(0));
  if (dx.wanted()) {
    const auto team = simt::row_team(D, all_aligned({x.data, gain.data, dy.data, dx.t.data}));
    launch<LayerNormDx>(ctx,
                        rows_shape(team, N, models),
                        {x.as<float>(),
                         data_or_null<float>(gain),
                         stats.as<float>(),
                         dy.as<float>(),
                         dx.t.as<float>(),
                         N,
                         D,
                         dx.adds(),
                         team,
                         models});
  }
  if (dgain.wanted() || dbias.wanted()) {
    const ArenaScope scope(*ctx.arena);
    const ColumnBlocks blocks = column_blocks(N, D);
    float* partial = alloc_partials(ctx, blocks, models.count, 2);
    launch<LayerNormParameters>(
        ctx,
        partials_shape(blocks, models.count, 2),
        {x.as<float>(), stats.as<float>(), dy.as<float>(), partial, blocks, models});
    put_column_sums(ctx, blocks, models, partial, 2, 0, dgain);
    put_column_sums(ctx, blocks, models, partial, 2, 1, dbias);
  }
}

}  // namespace sv::ops::device
