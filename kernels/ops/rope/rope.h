// Rotary positions: pairs (i, j) of every head are rotated by the angle (t + offset) base^(-2i/K).
//
//   y_i = x_i cos - x_j sin,  y_j = x_j cos + x_i sin;  inverse: sin -> -sin
//   pair number i: half_split (i, i + K/2), interleaved (2i, 2i + 1)
//
// Shapes: x, y (M, B, T, H K); y may be x. K odd is an error. `offset` is the place of the first
// position: what has been decoded before, or minus the prefix positions in front; it may be
// negative. The VJP is the op with the other `inverse`. Accumulation: none; angles, sine and cosine
// in double, rounded to the dtype (T K/2 of them; a CPU thread keeps them until it is asked for
// others, a GPU thread shares one among 8 sequences). Determinism: bits depend on the row and its
// place t + offset alone. Cost: one pass. Su et al., arXiv:2104.09864, in the half-split layout of
// GPT-NeoX and Llama checkpoints or the paper's own, which Huginn's checkpoints have.
#pragma once
#include "kernels/memory/context.h"

namespace sv::ops {

enum class RopeLayout : uint8_t { half_split, interleaved };

struct Rope {
  int heads;
  double base;
  int64_t offset = 0;
  RopeLayout layout = RopeLayout::half_split;
};

void rope(const Context& ctx, const Tensor& x, const Rope& rope, bool inverse, const Tensor& y);

}  // namespace sv::ops
