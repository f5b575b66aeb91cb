// Broadcast: one number per row or per column of x, as a factor or as a term.
//
//   mul_rows:    y[n,d] = x[n,d] s[n]        dx = dy s      ds[n] = sum_d dy[n,d] x[n,d]
//   mul_columns: y[n,d] = x[n,d] g[d]        dx = dy g      dg[d] = sum_n dy[n,d] x[n,d]
//   add_columns: y[n,d] = x[n,d] + b[d]      dx = dy        db[d] = sum_n dy[n,d]
//
// Shapes: x, y (M, ..., D); s (M, ...), the shape of x without its last axis; g, b (M, D). y may be
// x. Accumulation: in the dtype of x; ds in 64-byte lanes then a fixed tree over D, dg and db in
// blocks of 64 rows, in order. Determinism: bits depend on the row alone (y, dx, ds) and on the
// rows of the model (dg, db). Cost: one pass, 2 reads-or-writes per element forward, 3 backward.
// CPU alone. Reference: cases.h.
#pragma once
#include "kernels/memory/context.h"

namespace sv::ops {

void mul_rows(const Context& ctx, const Tensor& x, const Tensor& s, const Tensor& y);
void mul_rows_vjp(const Context& ctx,
                  const Tensor& x,
                  const Tensor& s,
                  const Tensor& dy,
                  const Grad& dx,
                  const Grad& ds);
void mul_columns(const Context& ctx, const Tensor& x, const Tensor& g, const Tensor& y);
void mul_columns_vjp(const Context& ctx,
                     const Tensor& x,
                     const Tensor& g,
                     const Tensor& dy,
                     const Grad& dx,
                     const Grad& dg);
void add_columns(const Context& ctx, const Tensor& x, const Tensor& b, const Tensor& y);
void add_columns_vjp(const Context& ctx, const Tensor& dy, const Grad& dx, const Grad& db);

}  // namespace sv::ops
