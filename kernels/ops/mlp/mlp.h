// The MLP of a transformer block without gradient: up, gate or activation, down. On a device one
// launch, and the hidden units never leave a multiprocessor.
//
//   a = x up^T + up_bias      h = silu(a_gate) * a_up, a = [a_gate | a_up],  or  gelu(a)
//   y = h down^T + down_bias
//
// Shapes: x, y (M, ..., D), not the same memory; up (M, 2F or F, D), down (M, D, F); biases (M, 2F
// or F) and (M, D), or empty. Accumulation: in the dtype. Bits: those of matmul, silu_gate or
// activate, and matmul, on the CPU and on a device (there in Precision::f32, the only one). Widths
// on a device: D at most 256; F has no limit. Determinism: a row of y depends on that row of x and
// on the weights alone. Cost: 2 M N D (3F or 2F) flops; x and y are moved once, the weights once
// for 16 to 64 rows. No VJP: training keeps a and h. Reference: cases.h.
#pragma once
#include "kernels/memory/context.h"

namespace sv::ops {

inline constexpr int kMostMlpWidth = 256;  // D on a device

struct MlpWeights {
  Tensor up, up_bias, down, down_bias;
  bool gated;  // silu(gate) * up; otherwise gelu
};

void mlp(const Context& ctx, const Tensor& x, const MlpWeights& w, const Tensor& y);

}  // namespace sv::ops
