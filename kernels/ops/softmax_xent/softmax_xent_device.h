// Host side of softmax_xent on a device; shapes were checked by the public functions.
#pragma once
#include "kernels/memory/context.h"

namespace sv::ops::device {

void softmax_xent(const Context& ctx,
                  const Tensor& logits,
                  const Tensor& targets,
                  const Tensor& weight,
                  const Tensor& loss,
                  const Tensor& nll,
                  const Tensor& logz);
/// dlogits is wanted.
void softmax_xent_vjp(const Context& ctx,
                      const Tensor& logits,
                      const Tensor& targets,
                      const Tensor& weight,
                      const Tensor& logz,
                      const Tensor& dloss,
                      const Grad& dlogits);

}  // namespace sv::ops::device
