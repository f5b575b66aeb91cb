#include "kernels/cpu/tree.h"
#include "kernels/cpu/write.h"
#include "kernels/math/point.h"
#include "kernels/ops/arguments.h"
#include "kernels/ops/sigmoid_xent/sigmoid_xent.h"
#include "kernels/ops/sigmoid_xent/sigmoid_xent_device.h"

namespace sv::ops {

namespace {

struct Dims {
  int64_t M, B, target_stride, weight_stride;
};

Dims check(const Tensor& logit, const Tensor& target, const Tensor& weight, const Tensor& loss) {
  SV_CHECK(logit.shape.rank() == 2, "sigmoid_xent needs logit (M, B), got ", logit.shape);
  const int64_t M = logit.dim(0), B = logit.dim(1);
  expect_shape(target.shape, {target.dim(0), B}, "target");
  expect_shape(weight.shape, {weight.dim(0), B}, "weight");
  expect_shape(loss.shape, {M}, "loss");
  return {M, B, model_stride(target, M, "target"), model_stride(weight, M, "weight")};
}

}  // namespace

void sigmoid_xent(const Context& ctx,
                  const Tensor& logit,
                  const Tensor& target,
                  const Tensor& weight,
                  const Tensor& loss) {
  const Dims d = check(logit, target, weight, loss);
  if (ctx.device) {
    device::sigmoid_xent(ctx, logit, target, weight, loss);
    return;
  }
  with_float(logit.dtype, [&]<class T>() {
    for (int i = 0; i < ctx.model_count(logit); ++i) {
      const int64_t m = ctx.model(i);
      const T *x = logit.as<T>() + m * d.B, *t = target.as<T>() + m * d.target_stride;
      const T* w = weight.as<T>() + m * d.weight_stride;
      const double total = cpu::tree_sum(0, d.B, [=](int64_t b) {
        return static_cast<double>(w[b]) * static_cast<double>(point::softplus(x[b]) - t[b] * x[b]);
      });
      loss.as<T>()[m] = static_cast<T>(total);
    }
  });
}

void sigmoid_xent_vjp(const Context& ctx,
                      const Tensor& logit,
                      const Tensor& target,
                      const Tensor& weight,
                      const Tensor& dloss,
                      const Grad& dlogit) {
  const Dims d = check(logit, target, weight, dloss);
  expect_grad(dlogit, logit.shape, "dlogit");
  if (!dlogit.wanted()) {
    return;
  }
  if (ctx.device) {
    device::sigmoid_xent_vjp(ctx, logit, target, weight, dloss, dlogit);
    return;
  }
  with_float(logit.dtype, [&]<class T>() {
    for (int i = 0; i < ctx.model_count(logit); ++i) {
      const int64_t m = ctx.model(i);
      const T *x = logit.as<T>() + m * d.B, *t = target.as<T>() + m * d.target_stride;
      const T* w = weight.as<T>() + m * d.weight_stride;
      const T scale = dloss.as<T>()[m];
      cpu::write_row(dlogit.t.as<T>() + m * d.B, d.B, dlogit.adds(), [=](int64_t b) {
        return scale * w[b] * (point::sigmoid(x[b]) - t[b]);
      });
    }
  });
}

}  // namespace sv::ops
