#include "kernels/ops/elementwise/elementwise_device.h"

#include "kernels/ops/elementwise/elementwise_body.h"
#include "kernels/ops/pointwise_device.h"

namespace sv::ops::device {

void add(const Context& ctx, const Tensor& a, const Tensor& b, const Tensor& y) {
  pointwise<AddElements>(ctx, {a, b}, y, false, {});
}

void mul(const Context& ctx, const Tensor& a, const Tensor& b, const Tensor& y) {
  pointwise<MulElements>(ctx, {a, b}, y, false, {});
}

void scale(const Context& ctx, const Tensor& a, double s, const Tensor& y) {
  pointwise<ScaleElements>(ctx, {a}, y, false, static_cast<float>(s));
}

void affine(const Context& ctx, const Tensor& a, double s, double t, const Tensor& y) {
  pointwise<AffineElements>(ctx, {a}, y, false, {static_cast<float>(s), static_cast<float>(t)});
}

void mix(const Context& ctx,
         const Tensor& a,
         double alpha,
         const Tensor& b,
         double beta,
         const Tensor& y) {
  pointwise<MixElements>(
      ctx, {a, b}, y, false, {static_cast<float>(alpha), static_cast<float>(beta)});
}

void put(const Context& ctx, const Tensor& src, const Grad& dst) {
  pointwise<PutElements>(ctx, {src}, dst.t, dst.adds(), {});
}

}  // namespace sv::ops::device
