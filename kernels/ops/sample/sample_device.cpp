#include "kernels/ops/sample/sample_device.h"

#include "kernels/ops/arguments.h"
#include "kernels/ops/device_rows.h"
#include "kernels/ops/sample/sample_body.h"

namespace sv::ops::device {

void sample(const Context& ctx,
            const Tensor& logits,
            const Tensor& keys,
            const SampleDraw& draw,
            const Tensor& out) {
  expect_device_f32(logits, "sample");
  const int64_t V = logits.dim(3), N = rows_per_model(logits);
  const LiveModels models = live_models(ctx, logits.dim(0));
  const auto team = class_team(V, simt::aligned16(logits.data));
  launch<Sample>(ctx,
                 rows_shape(team, N, models),
                 {logits.as<float>(),
                  keys.as<int32_t>(),
                  out.as<int32_t>(),
                  N,
                  V,
                  static_cast<float>(1 / draw.temperature),
                  draw.stream,
                  draw.step,
                  team,
                  models});
}

}  // namespace sv::ops::device
