// Rotary positions: pairs (i, i + K/2) of every head are rotated by the angle t * base^(-2i/K).
//
//   y_i = x_i cos - x_j sin,  y_j = x_j cos + x_i sin,  j = i + K/2;  inverse: sin -> -sin
//
// Shapes: x, y (M, B, T, H K), position = t; y may be x. K odd is an error. The VJP is the op with
// the other `inverse`. Accumulation: none; angles, sine and cosine in double, rounded to the dtype
// (T K/2 of them; a CPU thread keeps them until it is asked for others, a GPU thread shares one
// among 8 sequences). Determinism: bits depend on the row and its position alone. Cost: one pass.
// Su et al., arXiv:2104.09864, in the half-split layout of GPT-NeoX and Llama checkpoints.
#pragma once
#include "kernels/memory/context.h"

namespace sv::ops {

void rope(
    const Context& ctx, const Tensor& x, int heads, double base, bool inverse, const Tensor& y);

}  // namespace sv::ops
