// Positions by number, each row of the batch its own: what lets chosen tokens be computed alone.
//
//   gather:  y[m, b, k] = x[m, b, ids[m, b, k]], zero where the id is -1
//            dx[m, b, t] = sum of dy[m, b, k] over the k with ids = t, ascending
//   scatter: y = base, with y[m, b, ids[m, b, k]] = x[m, b, k]; -1 is skipped
//            dx[m, b, k] = dy[m, b, ids[m, b, k]], zero where the id is -1; dbase = dy, zero at ids
//
// Shapes: gather x and scatter base, y (M, B, T, ...); gather y and scatter x (M, B, K, ...); ids
// i32 (1|M, B, K). An id outside [-1, T) throws and names its place; scatter refuses an id that is
// named twice in a row, gather allows it. Accumulation: gather dx in the dtype, one chain per
// position. Determinism: bits depend on the row alone. Cost: one pass over the result, and one over
// the ids on one thread. Reference: cases.h. CPU only.
#pragma once
#include "kernels/memory/context.h"

namespace sv::ops {

void gather_positions(const Context& ctx, const Tensor& x, const Tensor& ids, const Tensor& y);
void gather_positions_vjp(const Context& ctx, const Tensor& dy, const Tensor& ids, const Grad& dx);

void scatter_positions(
    const Context& ctx, const Tensor& base, const Tensor& x, const Tensor& ids, const Tensor& y);
void scatter_positions_vjp(
    const Context& ctx, const Tensor& dy, const Tensor& ids, const Grad& dbase, const Grad& dx);

}  // namespace sv::ops
