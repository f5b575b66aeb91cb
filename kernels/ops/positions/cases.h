// Cases of slice_positions, concat_positions, put_positions and shift.
#pragma once
#include "kernels/ops/case.h"
#include "kernels/ops/positions/positions.h"

namespace sv::cases {

/// Element (row, t, d) of an array of rows of T positions of D elements.
struct PositionIndex {
  int64_t T, D;
  int64_t operator()(int64_t row, int64_t t, int64_t d) const { return (row * T + t) * D + d; }
};

/// An op from inputs of rows (M, B, ...) to y, whose element (row, t, d) is element(in, row, t, d).
inline Case positions_case(
    const std::string& name,
    std::vector<Input> inputs,
    const Shape& y,
    std::function<double(const Arrays& in, int64_t row, int64_t t, int64_t d)> element) {
  Case c;
  c.name = name;
  c.models = static_cast<int>(y[0]);
  c.inputs = std::move(inputs);
  c.outputs = {{.name = "y", .shape = y, .rows = true}};
  c.reference = [=](const Arrays& in, Arrays& out) {
    const int64_t T = y[2], D = y.numel() / (y[0] * y[1] * T);
    for (int64_t i = 0; i < y.numel(); ++i) {
      out[0][static_cast<size_t>(i)] = element(in, i / (T * D), i / D % T, i % D);
    }
  };
  c.tolerance = {0, 0, "a copy"};
  c.bytes = 8.0 * static_cast<double>(y.numel());
  return c;
}

inline Case slice_positions_case(const std::string& name,
                                 const Shape& x,
                                 int64_t begin,
                                 int64_t count) {
  const PositionIndex at{x[2], x.numel() / (x[0] * x[1] * x[2])};
  Case c = positions_case(name,
                          {normal("x", x, 1.0, true)},
                          x.with(2, count),
                          [=](const Arrays& in, int64_t row, int64_t t, int64_t d) {
                            return in[0][static_cast<size_t>(at(row, begin + t, d))];
                          });
  c.run = [=](const Context& ctx, const Tensors& in, const Tensors& out) {
    ops::slice_positions(ctx, in[0], begin, out[0]);
  };
  c.vjp = [=](const Context& ctx,
              const Tensors&,
              const Tensors&,
              const Tensors& dout,
              const Grads& din) { ops::slice_positions_vjp(ctx, dout[0], begin, din[0]); };
  return c;
}

/// `shared`: a has one row, which stands before every row of b.
inline Case concat_positions_case(const std::string& name, const Shape& b, int64_t A, bool shared) {
  const int64_t B = b[1];
  const PositionIndex in_a{A, b[3]}, in_b{b[2], b[3]};
  Input a = normal("a", b.with(1, shared ? 1 : B).with(2, A), 1.0, !shared);
  Case c = positions_case(name,
                          {a, normal("b", b, 1.0, true)},
                          b.with(2, A + b[2]),
                          [=](const Arrays& in, int64_t row, int64_t t, int64_t d) {
                            const int64_t row_a = shared ? row / B : row;
                            return t < A ? in[0][static_cast<size_t>(in_a(row_a, t, d))]
                                         : in[1][static_cast<size_t>(in_b(row, t - A, d))];
                          });
  c.run = [](const Context& ctx, const Tensors& in, const Tensors& out) {
    ops::concat_positions(ctx, in[0], in[1], out[0]);
  };
  c.vjp = [](const Context& ctx,
             const Tensors&,
             const Tensors&,
             const Tensors& dout,
             const Grads& din) { ops::concat_positions_vjp(ctx, dout[0], din[0], din[1]); };
  return c;
}

inline Case put_positions_case(const std::string& name,
                               const Shape& x,
                               int64_t begin,
                               int64_t count) {
  const PositionIndex in_x{x[2], x[3]}, in_rows{count, x[3]};
  Case c = positions_case(name,
                          {normal("x", x, 1.0, true), normal("rows", x.with(2, count), 1.0, true)},
                          x,
                          [=](const Arrays& in, int64_t row, int64_t t, int64_t d) {
                            const bool put = t >= begin && t < begin + count;
                            return put ? in[1][static_cast<size_t>(in_rows(row, t - begin, d))]
                                       : in[0][static_cast<size_t>(in_x(row, t, d))];
                          });
  c.run = [=](const Context& ctx, const Tensors& in, const Tensors& out) {
    ops::put_positions(ctx, in[0], in[1], begin, out[0]);
  };
  c.vjp = [=](const Context& ctx,
              const Tensors&,
              const Tensors&,
              const Tensors& dout,
              const Grads& din) {
    ops::put_positions_vjp(ctx, dout[0], begin, count, din[0], din[1]);
  };
  return c;
}

inline Case shift_case(const std::string& name, const Shape& x, int64_t by) {
  const PositionIndex at{x[2], x[3]};
  Case c = positions_case(name,
                          {normal("x", x, 1.0, true)},
                          x,
                          [=](const Arrays& in, int64_t row, int64_t t, int64_t d) {
                            const bool inside = t - by >= 0 && t - by < x[2];
                            return inside ? in[0][static_cast<size_t>(at(row, t - by, d))] : 0.0;
                          });
  c.run = [=](const Context& ctx, const Tensors& in, const Tensors& out) {
    ops::shift(ctx, in[0], by, out[0]);
  };
  c.vjp = [=](const Context& ctx,
              const Tensors&,
              const Tensors&,
              const Tensors& dout,
              const Grads& din) { ops::shift_vjp(ctx, dout[0], by, din[0]); };
  return c;
}

inline std::vector<Case> positions_cases() {
  return {slice_positions_case("slice M3 B2 T7 D5", {3, 2, 7, 5}, 2, 3),
          slice_positions_case("slice M2 B3 T4 of scalars", {2, 3, 4}, 3, 1),
          slice_positions_case("slice M2 B2 T5 D3 whole", {2, 2, 5, 3}, 0, 5),
          concat_positions_case("concat M3 B2 D5", {3, 2, 4, 5}, 3, false),
          concat_positions_case("concat M2 B5 D3 one prefix", {2, 5, 4, 3}, 2, true),
          concat_positions_case("concat M2 B150 D24 one prefix large", {2, 150, 16, 24}, 3, true),
          concat_positions_case("concat M2 B1 D3 one row", {2, 1, 4, 3}, 2, true),
          put_positions_case("put M3 B2 T7 D5", {3, 2, 7, 5}, 2, 3),
          put_positions_case("put M2 B3 T4 D3 at the end", {2, 3, 4, 3}, 3, 1),
          shift_case("shift M3 B2 T7 D5 by 2", {3, 2, 7, 5}, 2),
          shift_case("shift M2 B2 T6 D3 by -4", {2, 2, 6, 3}, -4),
          shift_case("shift M2 B2 T3 D3 by 5", {2, 2, 3, 3}, 5),
          shift_case("shift M2 B40 T36 D48 by 1 large", {2, 40, 36, 48}, 1)};
}

}  // namespace sv::cases
