#include "kernels/autograd/layout_ops.h"

#include "kernels/ops/columns/columns.h"
#include "kernels/ops/gather_positions/gather_positions.h"
#include "kernels/ops/positions/positions.h"
#include "kernels/ops/transpose/transpose.h"
#include "kernels/ops/unfold/unfold.h"

namespace sv::ad {

Var slice_positions(Tape& tape, Var x, int64_t begin, int64_t count) {
  Var y = tape.output(x.shape().with(2, count), x.value().dtype, x.needs_grad());
  ops::slice_positions(tape.ctx, x.value(), begin, y.value());
  tape.record(y, [=](Tape& t, const Tensor& dy) {
    ops::slice_positions_vjp(t.ctx, dy, begin, t.grad_into(x));
  });
  return y;
}

Var concat_positions(Tape& tape, Var a, Var b) {
  Var y = tape.output(b.shape().with(2, a.shape()[2] + b.shape()[2]),
                      b.value().dtype,
                      a.needs_grad() || b.needs_grad());
  ops::concat_positions(tape.ctx, a.value(), b.value(), y.value());
  tape.record(y, [=](Tape& t, const Tensor& dy) {
    const Grad da = t.grad_into(a);  // a and b may be one value: the first to be written overwrites
    const Grad db = t.grad_into(b);
    ops::concat_positions_vjp(t.ctx, dy, da, db);
  });
  return y;
}

Var put_positions(Tape& tape, Var x, Var rows, int64_t begin) {
  const int64_t count = rows.shape()[2];
  Var y = tape.output(x.shape(), x.value().dtype, x.needs_grad() || rows.needs_grad());
  ops::put_positions(tape.ctx, x.value(), rows.value(), begin, y.value());
  tape.record(y, [=](Tape& t, const Tensor& dy) {
    const Grad dx = t.grad_into(x);
    const Grad drows = t.grad_into(rows);
    ops::put_positions_vjp(t.ctx, dy, begin, count, dx, drows);
  });
  return y;
}

Var shift(Tape& tape, Var x, int by) {
  Var y = tape.output(x.shape(), x.value().dtype, x.needs_grad());
  ops::shift(tape.ctx, x.value(), by, y.value());
  tape.record(y, [=](Tape& t, const Tensor& dy) { ops::shift_vjp(t.ctx, dy, by, t.grad_into(x)); });
  return y;
}

Var gather_positions(Tape& tape, Var x, const Tensor& ids) {
  Var y = tape.output(x.shape().with(2, ids.dim(-1)), x.value().dtype, x.needs_grad());
  ops::gather_positions(tape.ctx, x.value(), ids, y.value());
  tape.record(y, [=](Tape& t, const Tensor& dy) {
    ops::gather_positions_vjp(t.ctx, dy, ids, t.grad_into(x));
  });
  return y;
}

Var scatter_positions(Tape& tape, Var base, Var x, const Tensor& ids) {
  Var y = tape.output(base.shape(), base.value().dtype, base.needs_grad() || x.needs_grad());
  ops::scatter_positions(tape.ctx, base.value(), x.value(), ids, y.value());
  tape.record(y, [=](Tape& t, const Tensor& dy) {
    const Grad dbase = t.grad_into(base);
    const Grad dx = t.grad_into(x);
    ops::scatter_positions_vjp(t.ctx, dy, ids, dbase, dx);
  });
  return y;
}

Var slice_columns(Tape& tape, Var x, int64_t begin, int64_t count) {
  Var y = tape.output(x.shape().with(-1, count), x.value().dtype, x.needs_grad());
  ops::slice_columns(tape.ctx, x.value(), begin, y.value());
  tape.record(y, [=](Tape& t, const Tensor& dy) {
    ops::slice_columns_vjp(t.ctx, dy, begin, t.grad_into(x));
  });
  return y;
}

Var select_columns(Tape& tape, Var x, std::span<const int> columns) {
  const auto count = static_cast<int64_t>(columns.size());
  Var y = tape.output(x.shape().with(-1, count), x.value().dtype, x.needs_grad());
  ops::select_columns(tape.ctx, x.value(), columns, y.value());
  tape.record(y, [=](Tape& t, const Tensor& dy) {
    ops::select_columns_vjp(t.ctx, dy, columns, t.grad_into(x));
  });
  return y;
}

Var transpose(Tape& tape, Var x) {
  const Shape& s = x.shape();
  Var y = tape.output(s.with(-2, s[-1]).with(-1, s[-2]), x.value().dtype, x.needs_grad());
  ops::transpose(tape.ctx, x.value(), y.value());
  tape.record(y, [=](Tape& t, const Tensor& dy) { ops::transpose_vjp(t.ctx, dy, t.grad_into(x)); });
  return y;
}

Var unfold(Tape& tape, Var x, int height, int width, int kernel) {
  const ops::PatchGrid grid{height, width, kernel};
  Var y =
      tape.output(x.shape().with(-1, grid.taps() * x.shape()[-1]), x.value().dtype, x.needs_grad());
  ops::unfold(tape.ctx, x.value(), grid, y.value());
  tape.record(y,
              [=](Tape& t, const Tensor& dy) { ops::unfold_vjp(t.ctx, dy, grid, t.grad_into(x)); });
  return y;
}

}  // namespace sv::ad
