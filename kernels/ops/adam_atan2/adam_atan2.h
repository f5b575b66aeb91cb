// Adam-atan2: AdamW with an angle in place of the quotient, so that no eps is needed and a step is
// bounded.
//
//   g = grad_scale_m grad            param *= 1 - lr_m weight_decay
//   m = beta1 m + (1 - beta1) g      v = beta2 v + (1 - beta2) g^2
//   param -= lr_m / (1 - beta1^step) * atan2(m, sqrt(v) / sqrt(1 - beta2^step))
//   ema = ema_decay ema + (1 - ema_decay) param
//
// The scaling is that of the package adam-atan2, which HRM and TRM train with: a = b = 1 in the
// paper's a atan2(m, b sqrt(v)), and the correction of the first moment outside of the angle, where
// the paper has it inside (equal once beta1^step is gone). Where m and v are 0 the angle is 0.
// Shapes, arguments, determinism and cost are those of adamw.h; eps is not read. CPU alone. Everett
// et al., arXiv:2407.05872.
#pragma once
#include "kernels/ops/adamw/adamw.h"

namespace sv::ops {

/// s.weight_decay is not read: each parameter has its own.
void adam_atan2(const Context& ctx, std::span<const AdamWTensors> list, const AdamWStep& s);

}  // namespace sv::ops
