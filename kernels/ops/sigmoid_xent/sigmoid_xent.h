// Binary cross-entropy of a logit: loss_m = sum_b weight (softplus(x) - target x), softplus(x) =
// log(1 + e^x).
//
//   dlogit = dloss_m weight (sigmoid(x) - target)
//
// Shapes: logit (M, B); target (0 or 1, or between) and weight (1|M, B) in the dtype of the logit;
// loss (M). Accumulation: the loss in double by a fixed tree over b. Determinism: bits depend on
// the rows of the model alone. Cost: one pass. Reference: cases.h.
#pragma once
#include "kernels/memory/context.h"

namespace sv::ops {

void sigmoid_xent(const Context& ctx,
                  const Tensor& logit,
                  const Tensor& target,
                  const Tensor& weight,
                  const Tensor& loss);
void sigmoid_xent_vjp(const Context& ctx,
                      const Tensor& logit,
                      const Tensor& target,
                      const Tensor& weight,
                      const Tensor& dloss,
                      const Grad& dlogit);

}  // namespace sv::ops
