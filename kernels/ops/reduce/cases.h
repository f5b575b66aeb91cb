// Cases of mean_positions, change, sum_squares and all_finite.
#pragma once
#include <cmath>

#include "kernels/ops/case.h"
#include "kernels/ops/reduce/reduce.h"

namespace sv::cases {

inline Case mean_positions_case(const std::string& name, const Shape& shape) {
  Case c;
  c.name = name;
  c.models = static_cast<int>(shape[0]);
  c.inputs = {normal("x", shape, 1.0, true)};
  c.outputs = {{.name = "y", .shape = {shape[0], shape[1], shape[3]}, .rows = true}};
  c.run = [](const Context& ctx, const Tensors& in, const Tensors& out) {
    ops::mean_positions(ctx, in[0], out[0]);
  };
  c.vjp = [](const Context& ctx,
             const Tensors&,
             const Tensors&,
             const Tensors& dout,
             const Grads& din) { ops::mean_positions_vjp(ctx, dout[0], din[0]); };
  c.reference = [=](const Arrays& in, Arrays& out) {
    for (int64_t i = 0; i < shape.numel(); ++i) {
      out[0][i / (shape[2] * shape[3]) * shape[3] + i % shape[3]] += in[0][i] / shape[2];
    }
  };
  c.tolerance = {1e-6, 1e-14, "a sum of T terms"};
  c.flops = 1.0 * shape.numel();
  c.bytes = 4.0 * shape.numel();
  return c;
}

/// change, sum_squares and all_finite of one pair of states; model 1 of `broken` holds an inf,
/// model 2 a NaN.
inline Case state_case(const std::string& name, const Shape& shape, bool broken) {
  Case c;
  c.name = name;
  c.models = static_cast<int>(shape[0]);
  c.inputs = {constant(normal("h", shape, 1.0, true)),
              constant(normal("h prev", shape, 1.0, true))};
  const int64_t size = shape.numel() / shape[0], row = size / shape[1];
  if (broken) {
    c.inputs[0].values[static_cast<size_t>(2 * size - 1)] = INFINITY;
    c.inputs[0].values[static_cast<size_t>(2 * size)] = NAN;
  }
  c.outputs = {{.name = "squares", .shape = {shape[0]}, .kind = Kind::f64},
               {.name = "finite", .shape = {shape[0]}, .kind = Kind::i32}};
  if (!broken) {
    c.outputs.push_back({.name = "change", .shape = {shape[0], shape[1]}, .rows = true});
  }
  c.run = [](const Context& ctx, const Tensors& in, const Tensors& out) {
    ops::sum_squares(ctx, in[0], out[0]);
    ops::all_finite(ctx, in[0], out[1]);
    if (out.size() > 2) {
      ops::change(ctx, in[0], in[1], out[2]);
    }
  };
  c.reference = [=](const Arrays& in, Arrays& out) {
    for (int64_t m = 0; m < shape[0]; ++m) {
      out[1][m] = 1;
      for (int64_t i = m * size; i < (m + 1) * size; ++i) {
        out[0][m] += in[0][i] * in[0][i];
        out[1][m] = std::isfinite(in[0][i]) ? out[1][m] : 0;
      }
    }
    for (int64_t b = 0; out.size() > 2 && b < shape[0] * shape[1]; ++b) {
      double moved = 0, length = 0;
      for (int64_t i = b * row; i < (b + 1) * row; ++i) {
        moved += (in[0][i] - in[1][i]) * (in[0][i] - in[1][i]);
        length += in[0][i] * in[0][i];
      }
      out[2][b] = std::sqrt(moved / length);
    }
  };
  c.tolerance = {2e-7, 1e-13, "sums in double, rounded once"};
  c.flops = (broken ? 2.0 : 7.0) * shape.numel();
  c.bytes = 16.0 * shape.numel();
  return c;
}

inline std::vector<Case> reduce_cases() {
  return {mean_positions_case("mean M3 B2 T5 D7", {3, 2, 5, 7}),
          mean_positions_case("mean M2 B20 T36 D48", {2, 20, 36, 48}),
          state_case("state M3 B2 T5 D7", {3, 2, 5, 7}, false),
          state_case("state M2 B9 T90 D48", {2, 9, 90, 48}, false),
          state_case("broken M3", {3, 2, 50, 48}, true)};
}

}  // namespace sv::cases
