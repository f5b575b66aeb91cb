// Patches of a grid, so that a convolution is unfold and then matmul (im2col).
//
//   y[m, b, (r, c), tap D + d] = x[m, b, (r + i - p, c + j - p), d],  p = (kernel - 1) / 2,
//   zero outside the grid ("same" padding); position (r, c) is r width + c
//   dx[m, b, q, d] = sum over taps, ascending, of dy[m, b, q - offset of the tap, tap D + d]
//
// Order of the taps: row by row, tap = i kernel + j, channels within a tap. A grid of height 1 has
// patches of 1 x kernel, tap = j. So the weight of matmul (M, O, K D), K taps, holds the weight of
// a convolution in the order (O, rows, columns, D): PyTorch's (O, D, rows, columns) permuted.
//
// Shapes: x, dx (M, B, height width, D); y, dy (M, B, height width, K D), K = kernel^2, or kernel
// where height is 1. An even kernel has no centre and throws. Accumulation: dx in the dtype, one
// chain per element, from zero or, when added to, from its old value. Determinism: bits depend on
// the row alone, and are the same on a device. Cost: one pass over y, K times the size of x.
// Reference: Chellapilla et al., "High performance convolutional neural networks for document
// processing", IWFHR 2006.
#pragma once
#include "kernels/memory/context.h"
#include "kernels/ops/unfold/unfold_grid.h"

namespace sv::ops {

void unfold(const Context& ctx, const Tensor& x, const PatchGrid& grid, const Tensor& y);
void unfold_vjp(const Context& ctx, const Tensor& dy, const PatchGrid& grid, const Grad& dx);

}  // namespace sv::ops
