#include "kernels/ops/readout_stats/readout_stats_device.h"

#include "kernels/ops/arguments.h"
#include "kernels/ops/device_rows.h"
#include "kernels/ops/readout_stats/readout_stats_body.h"

namespace sv::ops::device {

void argmax(const Context& ctx, const Tensor& logits, const Tensor& out) {
  expect_device_f32(logits, "argmax");
  const int64_t V = logits.dim(3), N = rows_per_model(logits);
  const LiveModels models = live_models(ctx, logits.dim(0));
  const auto team = class_team(V, simt::aligned16(logits.data));
  launch<Argmax>(ctx,
                 rows_shape(team, N, models),
                 {logits.as<float>(), out.as<int32_t>(), N, V, team, models});
}

void confidence(const Context& ctx, const Tensor& logits, const Tensor& out) {
  expect_device_f32(logits, "confidence");
  const int64_t V = logits.dim(3), N = rows_per_model(logits);
  const LiveModels models = live_models(ctx, logits.dim(0));
  const auto team = class_team(V, simt::aligned16(logits.data));
  launch<Confidence>(
      ctx, rows_shape(team, N, models), {logits.as<float>(), out.as<float>(), N, V, team, models});
}

void entropy(const Context& ctx, const Tensor& logits, const Tensor& out) {
  expect_device_f32(logits, "entropy");
  const int64_t V = logits.dim(3), N = rows_per_model(logits);
  const LiveModels models = live_models(ctx, logits.dim(0));
  const auto team = class_team(V, simt::aligned16(logits.data));
  launch<Entropy>(
      ctx, rows_shape(team, N, models), {logits.as<float>(), out.as<float>(), N, V, team, models});
}

void kl(const Context& ctx, const Tensor& logits_p, const Tensor& logits_q, const Tensor& out) {
  expect_device_f32(logits_p, "kl");
  const int64_t V = logits_p.dim(3), N = rows_per_model(logits_p);
  const LiveModels models = live_models(ctx, logits_p.dim(0));
  const auto team = class_team(V, all_aligned({logits_p.data, logits_q.data}));
  launch<Kl>(ctx,
             rows_shape(team, N, models),
             {logits_p.as<float>(), logits_q.as<float>(), out.as<float>(), N, V, team, models});
}

}  // namespace sv::ops::device
