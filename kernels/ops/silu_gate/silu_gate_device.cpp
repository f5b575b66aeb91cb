#include "kernels/ops/silu_gate/silu_gate_device.h"

#include "kernels/ops/arguments.h"
#include "kernels/ops/device_rows.h"
#include "kernels/ops/silu_gate/silu_gate_body.h"

namespace sv::ops::device {

void silu_gate(const Context& ctx, const Tensor& x, const Tensor& y) {
  expect_device_f32(x, "silu_gate");
  const int64_t N = rows_per_model(y), F = y.dim(-1);
  const LiveModels models = live_models(ctx, x.dim(0));
  const auto team = simt::row_team(F, all_aligned({x.data, y.data}));
  launch<SiluGateForward>(
      ctx, rows_shape(team, N, models), {x.as<float>(), y.as<float>(), N, F, team, models});
}

void silu_gate_vjp(const Context& ctx, const Tensor& x, const Tensor& dy, const Grad& dx) {
  expect_device_f32(x, "silu_gate_vjp");
  const int64_t N = rows_per_model(dy), F = dy.dim(-1);
  const LiveModels models = live_models(ctx, x.dim(0));
  const auto team = simt::row_team(F, all_aligned({x.data, dy.data, dx.t.data}));
  launch<SiluGateDx>(
      ctx,
      rows_shape(team, N, models),
      {x.as<float>(), dy.as<float>(), dx.t.as<float>(), N, F, dx.adds(), team, models});
}

}  // namespace sv::ops::device
