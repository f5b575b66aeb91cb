// Cases of mlp: with and without a gate and biases, rows and hidden units that fill no tile, widths
// on both sides of 64.
#pragma once
#include "kernels/ops/activate/cases.h"
#include "kernels/ops/case.h"
#include "kernels/ops/mlp/mlp.h"

namespace sv::cases {

struct MlpDims {
  int64_t M, N, D, F;
  bool gated, bias;
};

/// One row of y from one row of x.
inline void mlp_row(
    const MlpDims& d, const Arrays& in, int64_t m, const double* x, double* y, Array& hidden) {
  const int64_t wide = d.gated ? 2 * d.F : d.F;
  const auto before = [&](int64_t o) {
    double a = d.bias ? in[3][m * wide + o] : 0;
    for (int64_t k = 0; k < d.D; ++k) {
      a += x[k] * in[1][(m * wide + o) * d.D + k];
    }
    return a;
  };
  for (int64_t f = 0; f < d.F; ++f) {
    hidden[static_cast<size_t>(f)] =
        d.gated ? activation_reference(ops::Activation::silu, before(f)) * before(d.F + f)
                : activation_reference(ops::Activation::gelu, before(f));
  }
  for (int64_t k = 0; k < d.D; ++k) {
    y[k] = d.bias ? in[4][m * d.D + k] : 0;
    for (int64_t f = 0; f < d.F; ++f) {
      y[k] += hidden[static_cast<size_t>(f)] * in[2][(m * d.D + k) * d.F + f];
    }
  }
}

inline Case mlp_case(const std::string& name, const MlpDims& d) {
  Case c;
  c.name = name;
  c.models = static_cast<int>(d.M);
  const int64_t wide = d.gated ? 2 * d.F : d.F;
  c.inputs = {constant(normal("x", {d.M, d.N, d.D}, 1.0, true)),
              constant(normal("up", {d.M, wide, d.D}, 0.4)),
              constant(normal("down", {d.M, d.D, d.F}, 0.4))};
  if (d.bias) {
    c.inputs.push_back(constant(normal("up_bias", {d.M, wide})));
    c.inputs.push_back(constant(normal("down_bias", {d.M, d.D})));
  }
  c.outputs = {{.name = "y", .shape = {d.M, d.N, d.D}, .rows = true}};
  c.run = [=](const Context& ctx, const Tensors& in, const Tensors& out) {
    const ops::MlpWeights w = {
        in[1], d.bias ? in[3] : Tensor{}, in[2], d.bias ? in[4] : Tensor{}, d.gated};
    ops::mlp(ctx, in[0], w, out[0]);
  };
  c.reference = [=](const Arrays& in, Arrays& out) {
    Array hidden(static_cast<size_t>(d.F));
    for (int64_t n = 0; n < d.M * d.N; ++n) {
      mlp_row(d, in, n / d.N, in[0].data() + n * d.D, out[0].data() + n * d.D, hidden);
    }
  };
  c.tolerance = {4e-6, 4e-14, "sums of D and F products, a gate of two roundings between them"};
  const double products = d.gated ? 3 : 2;
  c.flops = 2.0 * products * static_cast<double>(d.M * d.N * d.D * d.F);
  c.bytes = 4.0 * static_cast<double>(2 * d.M * d.N * d.D) +
            4.0 * products * static_cast<double>(d.M * d.D * d.F);
  return c;
}

inline std::vector<Case> mlp_cases() {
  return {mlp_case("M2 N5 D7 F9 gated", {2, 5, 7, 9, true, false}),
          mlp_case("M2 N3 D12 F70 gelu", {2, 3, 12, 70, false, true}),
          mlp_case("M3 N33 D16 F40 gated", {3, 33, 16, 40, true, true}),
          mlp_case("M2 N18 D68 F36 gelu", {2, 18, 68, 36, false, false}),
          mlp_case("M4 N64 D32 F80 parallel", {4, 64, 32, 80, true, false})};
}

}  // namespace sv::cases
