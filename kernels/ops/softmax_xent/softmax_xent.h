// Softmax cross-entropy: nll = logz - logits[target], loss_m = sum over (b, t) of weight * nll.
//
//   logz = max + log(sum_v exp(logits_v - max))          dlogits_v = dloss_m weight (exp(logits_v -
//   logz) - [v = target])
//
// Shapes: logits (M, B, T, V), 1 <= V <= 4096; targets i32 (1|M, B, T), -1 = no target (nll and
// gradient 0), another value outside [0, V) throws (on a device: makes nll, loss and the row's
// gradient NaN); weight (1|M, B, T); loss (M); nll, logz (M, B, T). Accumulation: the row sum in
// the dtype, in a pattern of V alone; the loss in double by a fixed tree over b T + t. Determinism:
// nll, logz, dlogits depend on the row alone, the loss on the rows of the model. Cost: one pass,
// one exponential per logit each way. Reference: cases.h.
#pragma once
#include "kernels/memory/context.h"

namespace sv::ops {

void softmax_xent(const Context& ctx,
                  const Tensor& logits,
                  const Tensor& targets,
                  const Tensor& weight,
                  const Tensor& loss,
                  const Tensor& nll,
                  const Tensor& logz);
void softmax_xent_vjp(const Context& ctx,
                      const Tensor& logits,
                      const Tensor& targets,
                      const Tensor& weight,
                      const Tensor& logz,
                      const Tensor& dloss,
                      const Grad& dlogits);

}  // namespace sv::ops
