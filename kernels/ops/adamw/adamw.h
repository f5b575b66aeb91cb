// AdamW with decoupled weight decay, as PyTorch's torch.optim.AdamW computes it, with clipping and
// a weight average.
//
//   g = grad_scale_m grad            param *= 1 - lr_m weight_decay
//   m = beta1 m + (1 - beta1) g      v = beta2 v + (1 - beta2) g^2
//   param -= lr_m / (1 - beta1^step) * m / (sqrt(v) / sqrt(1 - beta2^step) + eps)
//   ema = ema_decay ema + (1 - ema_decay) param
//
// Shapes: param, grad, m, v, ema (M, ...), ema may be empty; lr and grad_scale are M doubles (per
// model: clipping and schedules never couple models), grad_scale null = 1. Everything but grad is
// updated in place. Accumulation: elementwise in the dtype; the scalars in double, rounded once.
// Determinism: bits depend on the element and its model's scalars alone. Cost: one pass, 7
// reads-or-writes per element, 9 with ema. Loshchilov & Hutter, arXiv:1711.05101.
#pragma once
#include "kernels/memory/context.h"

namespace sv::ops {

struct AdamWStep {
  const double* lr = nullptr;  // (M), after warm-up
  double weight_decay = 0;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  int64_t step = 1;                    // 1 at the first update
  const double* grad_scale = nullptr;  // (M), from clipping
  double ema_decay = 0;                // used when ema is given
};

void adamw(const Context& ctx,
           const Tensor& param,
           const Tensor& grad,
           const Tensor& m,
           const Tensor& v,
           const Tensor& ema,
           const AdamWStep& s);

}  // namespace sv::ops
