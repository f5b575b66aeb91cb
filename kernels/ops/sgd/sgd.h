// Gradient descent with momentum, and descent by signs for the rows of a table that were used.
//
//   sgd:       velocity = momentum velocity + grad_scale_m grad
//              param = (1 - lr_m weight_decay) param - lr_m velocity
//   sign_sgd:  rows in which some grad is not 0, and no others:
//              param = (1 - lr_m weight_decay) param - lr_m sign(grad)
//   both:      ema = ema_decay ema + (1 - ema_decay) param
//
// Shapes: param, grad, velocity, ema (M, ...), ema may be empty; a row of sign_sgd is the last axis
// of (M, ..., D), its velocity is not read. lr and grad_scale are M doubles in host memory,
// grad_scale null = 1; signs know no scale. Everything but grad is updated in place. Accumulation:
// elementwise in the dtype; scalars in double, rounded once. Determinism: bits depend on the
// element (sign_sgd: the row) and its model's scalars alone. Cost: one pass, 5 reads-or-writes per
// element (sign_sgd 3), 2 more with ema. CPU alone. sgd is torch.optim.SGD but for its weight
// decay, which is decoupled here; sign_sgd updates the puzzle embeddings of HRM, arXiv:2506.21734.
#pragma once
#include <span>

#include "kernels/memory/context.h"

namespace sv::ops {

struct SgdStep {
  const double* lr = nullptr;  // (M)
  double momentum = 0;
  const double* grad_scale = nullptr;  // (M), from clipping
  double ema_decay = 0;                // used when ema is given
};

/// One parameter with its state and its own weight decay.
struct SgdTensors {
  Tensor param, grad, velocity, ema;
  double weight_decay = 0;
};

void sgd(const Context& ctx, std::span<const SgdTensors> list, const SgdStep& s);
void sign_sgd(const Context& ctx, std::span<const SgdTensors> list, const SgdStep& s);

}  // namespace sv::ops
