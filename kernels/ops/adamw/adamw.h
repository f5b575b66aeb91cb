// AdamW with decoupled weight decay, as PyTorch's torch.optim.AdamW computes it, with clipping and
// a weight average, for one parameter or for all of a pack at once.
//
//   g = grad_scale_m grad            param *= 1 - lr_m weight_decay
//   m = beta1 m + (1 - beta1) g      v = beta2 v + (1 - beta2) g^2
//   param -= lr_m / (1 - beta1^step) * m / (sqrt(v) / sqrt(1 - beta2^step) + eps)
//   ema = ema_decay ema + (1 - ema_decay) param
//   grad_squares: squares_m = sum over all gradients of g^2; with `clip`, grad_scale_m =
//   min(1, clip / sqrt(squares_m))
//
// Shapes: param, grad, m, v, ema (M, ...), ema may be empty; lr and grad_scale are M doubles in
// host memory (per model: clipping and schedules never couple models), grad_scale null = 1; squares
// f64 (M) lies where the parameters do, so that a device clips without a word to the host.
// Everything but grad is updated in place. Accumulation: elementwise in the dtype; the scalars in
// double, rounded once; grad_squares in double, each tensor by the tree of sum_squares (on a
// device: blocks of 16384 elements, then a fixed tree over all blocks), tensors in order.
// Determinism: bits depend on the element and its model's scalars alone. Cost: one pass, 7
// reads-or-writes per element, 9 with ema; on a device one launch for any number of parameters, and
// one pass and two launches for the squares. Loshchilov & Hutter, arXiv:1711.05101.
#pragma once
#include <span>

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
  double clip = 0;                     // above 0: clips by squares; then grad_scale is null
  Tensor squares = {};                 // f64 (M), of grad_squares
};

/// One parameter with its optimiser state, and its own weight decay.
struct AdamWTensors {
  Tensor param, grad, m, v, ema;
  double weight_decay = 0;
};

void adamw(const Context& ctx,
           const Tensor& param,
           const Tensor& grad,
           const Tensor& m,
           const Tensor& v,
           const Tensor& ema,
           const AdamWStep& s);
/// The same for each of the list; s.weight_decay is not read.
void adamw(const Context& ctx, std::span<const AdamWTensors> list, const AdamWStep& s);
/// Squared norm per model over all tensors of the list.
void grad_squares(const Context& ctx, std::span<const Tensor> grads, const Tensor& squares);

}  // namespace sv::ops
