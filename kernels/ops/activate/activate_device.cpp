#include "kernels/ops/activate/activate_device.h"

#include "kernels/ops/activate/activate_body.h"
#include "kernels/ops/pointwise_device.h"

namespace sv::ops::device {

void activate(const Context& ctx, Activation kind, const Tensor& x, const Tensor& y) {
  pointwise<ActivateElements>(ctx, {x}, y, false, kind);
}

void activate_vjp(
    const Context& ctx, Activation kind, const Tensor& x, const Tensor& dy, const Grad& dx) {
  pointwise<ActivateDx>(ctx, {x, dy}, dx.t, dx.adds(), kind);
}

}  // namespace sv::ops::device
