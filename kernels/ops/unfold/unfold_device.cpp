#include "kernels/ops/unfold/unfold_device.h"

#include "kernels/ops/device_rows.h"
#include "kernels/ops/unfold/unfold_body.h"

namespace sv::ops::device {

void unfold(const Context& ctx, const Tensor& x, const PatchGrid& grid, const Tensor& y) {
  expect_device_f32(x, "unfold");
  const int64_t N = x.dim(1) * x.dim(2), D = x.dim(3);
  const LiveModels models = live_models(ctx, x.dim(0));
  const auto team = simt::row_team(D, all_aligned({x.data, y.data}));
  launch<UnfoldPatches>(ctx,
                        rows_shape(team, N * grid.taps(), models),
                        {x.as<float>(), y.as<float>(), grid, N, D, team, models});
}

void unfold_vjp(const Context& ctx, const Tensor& dy, const PatchGrid& grid, const Grad& dx) {
  expect_device_f32(dy, "unfold_vjp");
  const int64_t N = dx.t.dim(1) * dx.t.dim(2), D = dx.t.dim(3);
  const LiveModels models = live_models(ctx, dy.dim(0));
  const auto team = simt::row_team(D, all_aligned({dy.data, dx.t.data}));
  launch<UnfoldDx>(ctx,
                   rows_shape(team, N, models),
                   {dy.as<float>(), dx.t.as<float>(), grid, N, D, dx.adds(), team, models});
}

}  // namespace sv::ops::device
