#include "kernels/ops/positions/positions.h"

#include <initializer_list>

#include "kernels/cpu/write.h"
#include "kernels/ops/arguments.h"

namespace sv::ops {

namespace {

/// Positions that stand next in each row of a result: `count` of `from`, from position `first` on,
/// or that many zeros where `from` is null.
struct Piece {
  const Tensor* from;
  int64_t first, count;
};

Piece zeros(int64_t count) {
  return {nullptr, 0, count};
}

/// Writes (or adds) the pieces, one behind the other, to every row of `out` (M, B, T, ...). A
/// source of one row is read by all rows.
void join(const Context& ctx, std::initializer_list<Piece> pieces, const Grad& out) {
  const int64_t B = out.t.dim(1), positions = out.t.dim(2);
  const int64_t D = position_elements(out.t.shape, "positions");
  const bool adds = out.adds();
  for (const Piece& piece : pieces) {
    SV_CHECK(!piece.from || piece.from->dtype == out.t.dtype,
             "positions: one tensor is ",
             dtype_name(out.t.dtype),
             ", another ",
             dtype_name(piece.from->dtype));
  }
  with_float(out.t.dtype, [&]<class T>() {
    T* to = out.t.as<T>();
    const auto row = [&](int m, int64_t b) {
      T* at = to + (m * B + b) * positions * D;
      for (const Piece& piece : pieces) {
        const int64_t n = piece.count * D;
        if (piece.from) {
          const Tensor& x = *piece.from;
          const int64_t source = x.dim(1) == 1 ? m : m * B + b;
          const T* from = static_cast<const T*>(x.data) + (source * x.dim(2) + piece.first) * D;
          cpu::write_row(at, n, adds, [=](int64_t i) { return from[i]; });
        } else if (!adds) {
          std::fill(at, at + n, T{0});
        }
        at += n;
      }
    };
    cpu::for_each_row_block(
        ctx, ctx.model_count(out.t), B, positions * D, [&](int m, int64_t begin, int64_t end) {
          for (int64_t b = begin; b < end; ++b) {
            row(m, b);
          }
        });
  });
}

void join(const Context& ctx, std::initializer_list<Piece> pieces, const Tensor& out) {
  join(ctx, pieces, Grad{out, GradientMode::overwrite});
}

/// The pieces of x moved by `by`.
void move_along(const Context& ctx, const Tensor& x, int64_t by, const Grad& out) {
  const int64_t T = x.dim(2);
  by = std::clamp(by, -T, T);
  if (by >= 0) {
    join(ctx, {zeros(by), {&x, 0, T - by}}, out);
  } else {
    join(ctx, {{&x, -by, T + by}, zeros(-by)}, out);
  }
}

/// da (M, 1, A, ...) = sum over the rows of the first A positions of dy.
void sum_rows(const Context& ctx, const Tensor& dy, const Grad& da) {
  const int64_t B = dy.dim(1), D = position_elements(dy.shape, "concat_positions_vjp");
  const int64_t whole = dy.dim(2) * D, count = da.t.dim(2) * D;
  const int live = ctx.model_count(dy);
  const ArenaScope scope(*ctx.arena);
  with_float(dy.dtype, [&]<class T>() {
    const T* from = dy.as<T>();
    T* partials = cpu::column_partials<T>(ctx, live, B, count);
    cpu::for_each_sum_block(
        ctx, live, B, count, partials, [=](int m, int64_t begin, int64_t end, T* total) {
          for (int64_t b = begin; b < end; ++b) {
            const T* row = from + (m * B + b) * whole;
            cpu::write_row(total, count, true, [=](int64_t i) { return row[i]; });
          }
        });
    cpu::put_column_sums(ctx, live, B, count, partials, da);
  });
}

}  // namespace

void slice_positions(const Context& ctx, const Tensor& x, int64_t begin, const Tensor& y) {
  expect_no_device(ctx, "slice_positions");
  position_elements(x.shape, "slice_positions");
  const int64_t count = y.dim(2);
  expect_shape(y.shape, x.shape.with(2, count), "y");
  expect_range(begin, count, x.dim(2), "slice_positions", "positions");
  join(ctx, {{&x, begin, count}}, y);
}

void slice_positions_vjp(const Context& ctx, const Tensor& dy, int64_t begin, const Grad& dx) {
  expect_no_device(ctx, "slice_positions");
  if (!dx.wanted()) {
    return;
  }
  const int64_t count = dy.dim(2), T = dx.t.dim(2);
  expect_shape(dx.t.shape, dy.shape.with(2, T), "dx");
  expect_range(begin, count, T, "slice_positions", "positions");
  join(ctx, {zeros(begin), {&dy, 0, count}, zeros(T - begin - count)}, dx);
}

void concat_positions(const Context& ctx, const Tensor& a, const Tensor& b, const Tensor& y) {
  expect_no_device(ctx, "concat_positions");
  position_elements(a.shape, "concat_positions");
  const int64_t A = a.dim(2), C = b.dim(2), rows = a.dim(1) == 1 ? 1 : b.dim(1);
  expect_shape(a.shape, b.shape.with(1, rows).with(2, A), "a");
  expect_shape(y.shape, b.shape.with(2, A + C), "y");
  join(ctx, {{&a, 0, A}, {&b, 0, C}}, y);
}

void concat_positions_vjp(const Context& ctx, const Tensor& dy, const Grad& da, const Grad& db) {
  expect_no_device(ctx, "concat_positions");
  if (da.wanted()) {
    const int64_t A = da.t.dim(2), rows = da.t.dim(1) == 1 ? 1 : dy.dim(1);
    expect_shape(da.t.shape, dy.shape.with(1, rows).with(2, A), "da");
    if (rows == dy.dim(1)) {
      join(ctx, {{&dy, 0, A}}, da);
    } else {
      sum_rows(ctx, dy, da);
    }
  }
  if (db.wanted()) {
    const int64_t C = db.t.dim(2), A = dy.dim(2) - C;
    expect_shape(db.t.shape, dy.shape.with(2, C), "db");
    expect_range(A, C, dy.dim(2), "concat_positions", "positions");
    join(ctx, {{&dy, A, C}}, db);
  }
}

void put_positions(
    const Context& ctx, const Tensor& x, const Tensor& rows, int64_t begin, const Tensor& y) {
  expect_no_device(ctx, "put_positions");
  position_elements(x.shape, "put_positions");
  const int64_t count = rows.dim(2), end = begin + count, T = x.dim(2);
  expect_shape(rows.shape, x.shape.with(2, count), "rows");
  expect_shape(y.shape, x.shape, "y");
  expect_range(begin, count, T, "put_positions", "positions");
  join(ctx, {{&x, 0, begin}, {&rows, 0, count}, {&x, end, T - end}}, y);
}

void put_positions_vjp(const Context& ctx,
                       const Tensor& dy,
                       int64_t begin,
                       int64_t count,
                       const Grad& dx,
                       const Grad& drows) {
  expect_no_device(ctx, "put_positions");
  const int64_t end = begin + count, T = dy.dim(2);
  expect_range(begin, count, T, "put_positions", "positions");
  expect_grad(dx, dy.shape, "dx");
  expect_grad(drows, dy.shape.with(2, count), "drows");
  if (dx.wanted()) {
    join(ctx, {{&dy, 0, begin}, zeros(count), {&dy, end, T - end}}, dx);
  }
  if (drows.wanted()) {
    join(ctx, {{&dy, begin, count}}, drows);
  }
}

void shift(const Context& ctx, const Tensor& x, int64_t by, const Tensor& y) {
  expect_no_device(ctx, "shift");
  position_elements(x.shape, "shift");
  expect_shape(y.shape, x.shape, "y");
  move_along(ctx, x, by, {y, GradientMode::overwrite});
}

void shift_vjp(const Context& ctx, const Tensor& dy, int64_t by, const Grad& dx) {
  expect_no_device(ctx, "shift");
  expect_grad(dx, dy.shape, "dx");
  if (dx.wanted()) {
    move_along(ctx, dy, -by, dx);
  }
}

}  // namespace sv::ops
