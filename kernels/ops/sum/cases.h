// Cases of sum and sum_last.
#pragma once
#include "kernels/ops/case.h"
#include "kernels/ops/sum/sum.h"

namespace sv::cases {

/// The sum of each model's elements, x of any shape (M, ...).
inline Case sum_case(const std::string& name, const Shape& shape) {
  Case c;
  c.name = name;
  c.models = static_cast<int>(shape[0]);
  c.inputs = {normal("x", shape)};
  c.outputs = {{.name = "y", .shape = {shape[0]}}};
  c.run = [](const Context& ctx, const Tensors& in, const Tensors& out) {
    ops::sum(ctx, in[0], out[0]);
  };
  c.vjp = [](const Context& ctx,
             const Tensors&,
             const Tensors&,
             const Tensors& dout,
             const Grads& din) { ops::sum_vjp(ctx, dout[0], din[0]); };
  c.reference = [=](const Arrays& in, Arrays& out) {
    for (int64_t i = 0; i < shape.numel(); ++i) {
      out[0][i / (shape.numel() / shape[0])] += in[0][i];
    }
  };
  c.tolerance = {1e-7, 1e-12, "a sum in double, rounded once"};
  c.flops = 1.0 * shape.numel();
  c.bytes = 4.0 * shape.numel();
  return c;
}

/// The sum of each row of (M, N, D).
inline Case sum_last_case(const std::string& name, int64_t M, int64_t N, int64_t D) {
  Case c;
  c.name = name;
  c.models = static_cast<int>(M);
  c.inputs = {normal("x", {M, N, D}, 1.0, true)};
  c.outputs = {{.name = "y", .shape = {M, N}, .rows = true}};
  c.run = [](const Context& ctx, const Tensors& in, const Tensors& out) {
    ops::sum_last(ctx, in[0], out[0]);
  };
  c.vjp = [](const Context& ctx,
             const Tensors&,
             const Tensors&,
             const Tensors& dout,
             const Grads& din) { ops::sum_last_vjp(ctx, dout[0], din[0]); };
  c.reference = [=](const Arrays& in, Arrays& out) {
    for (int64_t i = 0; i < M * N * D; ++i) {
      out[0][i / D] += in[0][i];
    }
  };
  c.tolerance = {2e-6, 1e-14, "a sum of D terms"};
  c.flops = 1.0 * M * N * D;
  c.bytes = 4.0 * M * N * (D + 1);
  return c;
}

inline std::vector<Case> sum_cases() {
  return {sum_case("sum M3 B2 T5 D7", {3, 2, 5, 7}),
          sum_case("sum M4", {4}),
          sum_case("sum M2 large", {2, 300, 150}),
          sum_last_case("sum last M3 N5 D7", 3, 5, 7),
          sum_last_case("sum last M2 N9 D1", 2, 9, 1),
          sum_last_case("sum last M5 N300 D48", 5, 300, 48)};
}

}  // namespace sv::cases
