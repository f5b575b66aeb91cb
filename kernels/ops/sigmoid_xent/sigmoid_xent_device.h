// Host side of sigmoid_xent on a device; shapes were checked by the public functions.
#pragma once
#include "kernels/memory/context.h"

namespace sv::ops::device {

void sigmoid_xent(const Context& ctx,
                  const Tensor& logit,
                  const Tensor& target,
                  const Tensor& weight,
                  const Tensor& loss);
/// dlogit is wanted.
void sigmoid_xent_vjp(const Context& ctx,
                      const Tensor& logit,
                      const Tensor& target,
                      const Tensor& weight,
                      const Tensor& dloss,
                      const Grad& dlogit);

}  // namespace sv::ops::device
