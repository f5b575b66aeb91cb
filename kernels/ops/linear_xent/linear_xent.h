// Linear map and softmax cross-entropy in one: the logits are made tile by tile and never stored.
//
//   z_nv = sum_k x_nk w_vk + bias_v      logz = log(sum_v exp(z_v))      nll = logz - z[target]
//   loss_m = sum_n weight nll            g_nv = dloss_m weight (exp(z_nv - logz_n) - [v = target])
//   dx_nk = sum_v g_nv w_vk              dw_vk = sum_n g_nv x_nk         dbias_v = sum_n g_nv
//
// Shapes: x, dx (M, B, T, D); w, dw (M, V, D); bias, dbias (M, V) or empty; targets i32 (1|M, B,
// T), -1 = no target (nll and gradient 0), another value outside [0, V) throws (on a device: makes
// nll, loss and what the row adds to gradients NaN); weight (1|M, B, T); loss (M); nll, logz (M, B,
// T), logz kept for the VJP, which makes the logits again. Accumulation: in the dtype; a logit is
// one chain over k as in matmul. CPU: blocks of rows from V alone, dw and dbias as in matmul_vjp.
// Device: sums of exponentials per lane, then a fixed tree; dx over v ascending; dw and dbias over
// the rows of a split, ascending, then splits in order, their number from N, V and D alone. The
// loss in double by a fixed tree. Determinism: nll, logz and dx depend on the row (and w) alone,
// the rest on the rows of the model. Cost: 2 N V D flops forward; 8 N V D for the VJP, 6 of them
// the gradients' own and the logits once more (on a device again for each of dx and dw, and for
// each 128 columns of D). Memory: none of size N V. Reference: cases.h.
#pragma once
#include "kernels/memory/context.h"

namespace sv::ops {

struct LinearXentInputs {
  Tensor x;        // (M, B, T, D)
  Tensor w;        // (M, V, D)
  Tensor bias;     // (M, V) or empty
  Tensor targets;  // i32 (1|M, B, T)
  Tensor weight;   // (1|M, B, T)
};

void linear_xent(const Context& ctx,
                 const LinearXentInputs& in,
                 const Tensor& loss,
                 const Tensor& nll,
                 const Tensor& logz);
void linear_xent_vjp(const Context& ctx,
                     const LinearXentInputs& in,
                     const Tensor& logz,
                     const Tensor& dloss,
                     const Grad& dx,
                     const Grad& dw,
                     const Grad& dbias);

}  // namespace sv::ops
