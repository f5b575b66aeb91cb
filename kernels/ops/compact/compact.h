// The rows of a batch that are still live: a dense list of them, and copies of those rows out of a
// state and back.
//
//   live_rows:    rows[m] = the b with live[m, b] != 0, ascending, then -1; count[m] = how many
//   gather_live:  y[m, j, ...] = x[m, rows[m, j], ...]      scatter_live: x[m, rows[m, j], ...] =
//   y[m, j, ...]
//
// Shapes: live and its rows i32 (M, B); count i32 (M); x (M, B, ...); y (M, B2, ...); lists of the
// copies i32 (M, R) with R >= B2, of which the first B2 are read. -1 = skip: what is written there
// stays as it is. f32, f64 and i32 data. Unlike ops/rows, lists are trusted (to come from
// live_rows, or from the run's own counting), so that a device does not stop to look at them; a
// number outside the batch is skipped on a device and throws on the CPU. Accumulation: none (a
// prefix sum of flags). Determinism: exact. Cost: one pass over the flags; one over the chosen
// rows. Reference: cases.h.
#pragma once
#include "kernels/memory/context.h"

namespace sv::ops {

void live_rows(const Context& ctx, const Tensor& live, const Tensor& rows, const Tensor& count);
void gather_live(const Context& ctx, const Tensor& x, const Tensor& rows, const Tensor& y);
void scatter_live(const Context& ctx, const Tensor& y, const Tensor& rows, const Tensor& x);

}  // namespace sv::ops
