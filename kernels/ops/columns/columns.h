// Columns of the last axis: a stretch of them, or a list.
//
//   slice:  y_i = x_(begin + i)          dx_(begin + i) = dy_i, zero elsewhere
//   select: y_j = x_(columns[j])         dx_i = sum of dy_j over the j with columns[j] = i,
//   ascending
//
// Shapes: x, dx (M, ..., D); y, dy (M, ..., count). The list is on the host, the same for all
// models and rows, and may name a column more than once. A column outside [0, D) throws.
// Accumulation: select dx in the dtype, one chain per column. Determinism: bits depend on the row
// alone. Cost: one pass over y. Reference: cases.h. CPU only.
#pragma once
#include <span>

#include "kernels/memory/context.h"

namespace sv::ops {

/// As many columns as y has.
void slice_columns(const Context& ctx, const Tensor& x, int64_t begin, const Tensor& y);
void slice_columns_vjp(const Context& ctx, const Tensor& dy, int64_t begin, const Grad& dx);

void select_columns(const Context& ctx,
                    const Tensor& x,
                    std::span<const int> columns,
                    const Tensor& y);
void select_columns_vjp(const Context& ctx,
                        const Tensor& dy,
                        std::span<const int> columns,
                        const Grad& dx);

}  // namespace sv::ops
