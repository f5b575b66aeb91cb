// Cases of mul_rows, mul_columns and add_columns.
#pragma once
#include "kernels/ops/broadcast/broadcast.h"
#include "kernels/ops/case.h"

namespace sv::cases {

/// x (M, N, D) and another input; y = f(x, the other's element of this row or column).
inline Case broadcast_case(
    const std::string& name, int64_t M, int64_t N, int64_t D, bool per_row, bool product) {
  Case c;
  c.name = name;
  c.models = static_cast<int>(M);
  c.inputs = {normal("x", {M, N, D}, 1.0, true),
              per_row ? normal("s", {M, N}, 1.0, true) : normal(product ? "g" : "b", Shape{M, D})};
  c.outputs = {{.name = "y", .shape = {M, N, D}, .rows = true}};
  c.reference = [=](const Arrays& in, Arrays& out) {
    for (int64_t i = 0; i < M * N * D; ++i) {
      const double other = in[1][per_row ? i / D : i / (N * D) * D + i % D];
      out[0][i] = product ? in[0][i] * other : in[0][i] + other;
    }
  };
  c.tolerance = {4e-7, 1e-15, "one rounded operation"};
  c.flops = 1.0 * M * N * D;
  c.bytes = 8.0 * M * N * D + 4.0 * M * (per_row ? N : D);
  return c;
}

inline Case mul_rows_case(const std::string& name, int64_t M, int64_t N, int64_t D) {
  Case c = broadcast_case(name, M, N, D, true, true);
  c.run = [](const Context& ctx, const Tensors& in, const Tensors& out) {
    ops::mul_rows(ctx, in[0], in[1], out[0]);
  };
  c.vjp = [](const Context& ctx,
             const Tensors& in,
             const Tensors&,
             const Tensors& dout,
             const Grads& din) { ops::mul_rows_vjp(ctx, in[0], in[1], dout[0], din[0], din[1]); };
  return c;
}

inline Case mul_columns_case(const std::string& name, int64_t M, int64_t N, int64_t D) {
  Case c = broadcast_case(name, M, N, D, false, true);
  c.run = [](const Context& ctx, const Tensors& in, const Tensors& out) {
    ops::mul_columns(ctx, in[0], in[1], out[0]);
  };
  c.vjp = [](const Context& ctx,
             const Tensors& in,
             const Tensors&,
             const Tensors& dout,
             const Grads& din) {
    ops::mul_columns_vjp(ctx, in[0], in[1], dout[0], din[0], din[1]);
  };
  return c;
}

inline Case add_columns_case(const std::string& name, int64_t M, int64_t N, int64_t D) {
  Case c = broadcast_case(name, M, N, D, false, false);
  c.run = [](const Context& ctx, const Tensors& in, const Tensors& out) {
    ops::add_columns(ctx, in[0], in[1], out[0]);
  };
  c.vjp = [](const Context& ctx,
             const Tensors&,
             const Tensors&,
             const Tensors& dout,
             const Grads& din) { ops::add_columns_vjp(ctx, dout[0], din[0], din[1]); };
  return c;
}

inline std::vector<Case> broadcast_cases() {
  return {mul_rows_case("mul rows M3 N5 D7", 3, 5, 7),
          mul_rows_case("mul rows M2 N9 D1", 2, 9, 1),
          mul_rows_case("mul rows M5 N300 D48", 5, 300, 48),
          mul_columns_case("mul columns M3 N5 D7", 3, 5, 7),
          mul_columns_case("mul columns M5 N300 D48", 5, 300, 48),
          add_columns_case("add columns M3 N5 D7", 3, 5, 7),
          add_columns_case("add columns M2 N130 D33", 2, 130, 33),
          add_columns_case("add columns M5 N300 D48", 5, 300, 48)};
}

}  // namespace sv::cases
