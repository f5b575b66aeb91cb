// Stretches of positions: cut out, joined, replaced, moved along T.
//
//   slice:  y_t = x_(begin + t)                      dx_t = dy_(t - begin), zero outside the slice
//   concat: y = [a | b] along T                      da, db: the two parts of dy
//   put:    y_t = rows_(t - begin) for begin <= t < begin + count, else x_t
//           drows_t = dy_(begin + t), dx = dy with zeros there
//   shift:  y_t = x_(t - by), zero where t - by is no position (by may be negative)
//           dx_t = dy_(t + by), likewise
//
// Shapes: x (M, B, T, ...), row by row of what follows T; slice y and put rows (M, B, count, ...),
// shift y as x. concat: a (M, B|1, A, ...), b (M, B, C, ...), y (M, B, A + C, ...); an a with one
// row (prefix tokens) stands before every row of b, and da is the sum over the rows. A range
// outside the positions throws. Accumulation: none (copies), but for that sum: in the dtype, blocks
// of 64 rows, blocks in order. Determinism: bits depend on the row alone, da of a shared a on the
// model's rows. Cost: one pass over the result. Reference: cases.h. CPU only.
#pragma once
#include "kernels/memory/context.h"

namespace sv::ops {

/// As many positions as y has.
void slice_positions(const Context& ctx, const Tensor& x, int64_t begin, const Tensor& y);
void slice_positions_vjp(const Context& ctx, const Tensor& dy, int64_t begin, const Grad& dx);

void concat_positions(const Context& ctx, const Tensor& a, const Tensor& b, const Tensor& y);
void concat_positions_vjp(const Context& ctx, const Tensor& dy, const Grad& da, const Grad& db);

void put_positions(
    const Context& ctx, const Tensor& x, const Tensor& rows, int64_t begin, const Tensor& y);
/// `count` positions were replaced.
void put_positions_vjp(const Context& ctx,
                       const Tensor& dy,
                       int64_t begin,
                       int64_t count,
                       const Grad& dx,
                       const Grad& drows);

void shift(const Context& ctx, const Tensor& x, int64_t by, const Tensor& y);
void shift_vjp(const Context& ctx, const Tensor& dy, int64_t by, const Grad& dx);

}  // namespace sv::ops
