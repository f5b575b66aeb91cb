#include "kernels/ops/rmsnorm/rmsnorm_device.h"

#include "kernels/ops/arguments.h"
#include "kernels/ops/column_sums_device.h"
#include "kernels/ops/device_rows.h"
#include "kernels/ops/rmsnorm/rmsnorm_body.h"

namespace sv::ops::device {

void rmsnorm(const Context& ctx,
             const Tensor& x,
             const Tensor& gain,
             double eps,
             const Tensor& y,
             const Tensor& inv_rms) {
  expect_device_f32(x, "rmsnorm");
  const int64_t N = inv_rms.dim(1), D = x.dim(-1);
  const LiveModels models = live_models(ctx, x.dim(0));
  const auto team = simt::row_team(D, all_aligned({x.data, gain.data, y.data}));
  launch<RmsNormForward>(ctx,
                         rows_shape(team, N, models),
                         {x.as<float>(),
                          data_or_null<float>(gain),
                          y.as<float>(),
                          inv_rms.as<float>(),
                          N,
                          D,
                          static_cast<float>(eps),
                          team,
                          models});
}

void rmsnorm_vjp(const Context& ctx,
                 const Tensor& x,
                 const Tensor& gain,
                 const Tensor& inv_rms,
                 const Tensor& dy,
                 const Grad& dx,
                 const Grad& dgain) {
  expect_device_f32(x, "rmsnorm_vjp");
  const int64_t N = inv_rms.dim(1), D = x.dim(-1);
  const LiveModels models = live_models(ctx, x.dim(0));
  if (dx.wanted()) {
    const auto team = simt::row_team(D, all_aligned({x.data, gain.data, dy.data, dx.t.data}));
    launch<RmsNormDx>(ctx,
                      rows_shape(team, N, models),
                      {x.as<float>(),
                       data_or_null<float>(gain),
                       inv_rms.as<float>(),
                       dy.as<float>(),
                       dx.t.as<float>(),
                       N,
                       D,
                       dx.adds(),
                       team,
                       models});
  }
  if (dgain.wanted()) {
    const ArenaScope scope(*ctx.arena);
    const ColumnBlocks blocks = column_blocks(N, D);
    float* partial = alloc_partials(ctx, blocks, models.count, 1);
    launch<RmsNormDgain>(
        ctx,
        partials_shape(blocks, models.count, 1),
        {x.as<float>(), inv_rms.as<float>(), dy.as<float>(), partial, blocks, models});
    put_column_sums(ctx, blocks, models, partial, 1, 0, dgain);
  }
}

}  // namespace sv::ops::device
