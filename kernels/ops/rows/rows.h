// Rows by number: gather_rows copies chosen rows of a batch to a smaller one, scatter_rows copies
// them back.
//
//   gather:  y[m, j, ...] = x[m, rows[m, j], ...]        scatter: x[m, rows[m, j], ...] = y[m, j,
//   ...]
//
// Shapes: x (M, B, ...), y (M, B2, ...), rows i32 (1|M, B2); -1 = skip (what is written there stays
// as it is), another number outside [0, B) throws; scatter refuses a row named twice. f32, f64 and
// i32 data. Accumulation: none (a copy). Determinism: exact. Cost: one pass over the chosen rows.
// Reference: cases.h.
#pragma once
#include "kernels/memory/context.h"

namespace sv::ops {

void gather_rows(const Context& ctx, const Tensor& x, const Tensor& rows, const Tensor& y);
void scatter_rows(const Context& ctx, const Tensor& y, const Tensor& rows, const Tensor& x);

}  // namespace sv::ops
