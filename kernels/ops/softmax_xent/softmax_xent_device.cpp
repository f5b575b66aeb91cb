#include "kernels/ops/softmax_xent/softmax_xent_device.h"

#include "kernels/ops/device_rows.h"
#include "kernels/ops/loss_sums_device.h"
#include "kernels/ops/softmax_xent/softmax_xent_body.h"

namespace sv::ops::device {

void softmax_xent(const Context& ctx,
                  const Tensor& logits,
                  const Tensor& targets,
                  const Tensor& weight,
                  const Tensor& loss,
                  const Tensor& nll,
                  const Tensor& logz) {
  expect_device_f32(logits, "softmax_xent");
  const int64_t M = logits.dim(0), V = logits.dim(3), N = rows_per_model(logits);
  const LiveModels models = live_models(ctx, M);
  const auto team = class_team(V, simt::aligned16(logits.data));
  const Targets target{targets.as<int32_t>(), model_stride(targets, M, "targets")};
  launch<SoftmaxXentForward>(
      ctx,
      rows_shape(team, N, models),
      {logits.as<float>(), target, nll.as<float>(), logz.as<float>(), N, V, team, models});
  put_loss<WeightedNll>(ctx,
                        models,
                        N,
                        {nll.as<float>(), weight.as<float>(), N, model_stride(weight, M, "weight")},
                        loss);
}

void softmax_xent_vjp(const Context& ctx,
                      const Tensor& logits,
                      const Tensor& targets,
                      const Tensor& weight,
                      const Tensor& logz,
                      const Tensor& dloss,
                      const Grad& dlogits) {
  expect_device_f32(logits, "softmax_xent_vjp");
  const int64_t M = logits.dim(0), V = logits.dim(3), N = rows_per_model(logits);
  const LiveModels models = live_models(ctx, M);
  const auto team = class_team(V, all_aligned({logits.data, dlogits.t.data}));
  launch<SoftmaxXentDx>(ctx,
                        rows_shape(team, N, models),
                        {logits.as<float>(),
                         {targets.as<int32_t>(), model_stride(targets, M, "targets")},
                         weight.as<float>(),
                         logz.as<float>(),
                         dloss.as<float>(),
                         dlogits.t.as<float>(),
                         N,
                         V,
                         model_stride(weight, M, "weight"),
                         dlogits.adds(),
                         team,
                         models});
}

}  // namespace sv::ops::device
