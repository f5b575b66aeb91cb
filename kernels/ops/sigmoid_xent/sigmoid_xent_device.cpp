#include "kernels/ops/sigmoid_xent/sigmoid_xent_device.h"

#include "kernels/ops/loss_sums_device.h"
#include "kernels/ops/sigmoid_xent/sigmoid_xent_body.h"

namespace sv::ops::device {

namespace {

BinaryRows rows_of(const Tensor& logit, const Tensor& target, const Tensor& weight) {
  const int64_t M = logit.dim(0);
  return {logit.as<float>(),
          target.as<float>(),
          weight.as<float>(),
          logit.dim(1),
          model_stride(target, M, "target"),
          model_stride(weight, M, "weight")};
}

}  // namespace

void sigmoid_xent(const Context& ctx,
                  const Tensor& logit,
                  const Tensor& target,
                  const Tensor& weight,
                  const Tensor& loss) {
  expect_device_f32(logit, "sigmoid_xent");
  put_loss<SigmoidXentTerms>(
      ctx, live_models(ctx, logit.dim(0)), logit.dim(1), rows_of(logit, target, weight), loss);
}

void sigmoid_xent_vjp(const Context& ctx,
                      const Tensor& logit,
                      const Tensor& target,
                      const Tensor& weight,
                      const Tensor& dloss,
                      const Grad& dlogit) {
  expect_device_f32(logit, "sigmoid_xent_vjp");
  const LiveModels models = live_models(ctx, logit.dim(0));
  launch<SigmoidXentDx>(
      ctx,
      {.grid_x = static_cast<int>((logit.dim(1) + kLossThreads - 1) / kLossThreads),
       .grid_y = models.count,
       .block = kLossThreads},
      {rows_of(logit, target, weight),
       dloss.as<float>(),
       dlogit.t.as<float>(),
       dlogit.adds(),
       models});
}

}  // namespace sv::ops::device
