// Negative log-likelihood of each token: nll = logz - log s(x_target), logz = log sum_v s(x_v).
//
//   softmax:   s(x) = e^x, from max x on
//              dlogits_v = dnll (s(x_v) / sum s - [v = target])
//   stablemax: s(x) = x + 1 for x >= 0, else 1/(1 - x);   s'(x) = 1 for x >= 0, else 1/(1 - x)^2
//              dlogits_v = dnll (s'(x_v) / sum s - [v = target] / (1 + |x_v|))
//
// Shapes: logits (M, B, T, V), 1 <= V <= 4096; targets i32 (1|M, B, T), -1 = no target (nll and
// gradient 0), another value outside [0, V) throws; nll (M, B, T); logz f64 (M, B, T), kept for the
// VJP. Accumulation: in double whatever the dtype, in a pattern of V alone; each result is rounded
// once. Determinism: bits depend on the row alone. Cost: one pass each way; softmax one exponential
// per logit, stablemax one quotient. CPU alone. Stablemax: Prieto et al., arXiv:2501.04697; in HRM,
// arXiv:2506.21734, and TRM, arXiv:2510.04871, in double too.
#pragma once
#include "kernels/memory/context.h"
#include "kernels/ops/nll/loss_kind.h"

namespace sv::ops {

void nll(const Context& ctx,
         LossKind kind,
         const Tensor& logits,
         const Tensor& targets,
         const Tensor& nll,
         const Tensor& logz);
void nll_vjp(const Context& ctx,
             LossKind kind,
             const Tensor& logits,
             const Tensor& targets,
             const Tensor& logz,
             const Tensor& dnll,
             const Grad& dlogits);

}  // namespace sv::ops
