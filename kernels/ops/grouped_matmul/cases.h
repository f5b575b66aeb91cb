// Cases of grouped_matmul: one row, more rows than a step of dw, parts of panels.
#pragma once
#include "kernels/ops/case.h"
#include "kernels/ops/grouped_matmul/grouped_matmul.h"

namespace sv::cases {

struct GroupedDims {
  int64_t M, B, G, I, O;
  bool bias;
};

inline Case grouped_matmul_case(const std::string& name, GroupedDims d) {
  Case c;
  c.name = name;
  c.models = static_cast<int>(d.M);
  c.inputs = {normal("x", {d.M, d.B, d.G, d.I}, 1.0, true), normal("w", {d.M, d.G, d.O, d.I}, 0.2)};
  if (d.bias) {
    c.inputs.push_back(normal("bias", {d.M, d.G, d.O}));
  }
  c.outputs = {{.name = "y", .shape = {d.M, d.B, d.G, d.O}, .rows = true}};
  c.run = [](const Context& ctx, const Tensors& in, const Tensors& out) {
    ops::grouped_matmul(ctx, in[0], in[1], in.size() > 2 ? in[2] : Tensor{}, out[0]);
  };
  c.vjp = [](const Context& ctx,
             const Tensors& in,
             const Tensors&,
             const Tensors& dout,
             const Grads& din) {
    ops::grouped_matmul_vjp(
        ctx, in[0], in[1], dout[0], din[0], din[1], din.size() > 2 ? din[2] : Grad{});
  };
  c.reference = [=](const Arrays& in, Arrays& out) {
    for (int64_t row = 0; row < d.M * d.B * d.G; ++row) {
      const int64_t group = row / (d.B * d.G) * d.G + row % d.G;
      for (int64_t o = 0; o < d.O; ++o) {
        double sum = d.bias ? in[2][static_cast<size_t>(group * d.O + o)] : 0.0;
        for (int64_t i = 0; i < d.I; ++i) {
          sum += in[0][static_cast<size_t>(row * d.I + i)] *
                 in[1][static_cast<size_t>((group * d.O + o) * d.I + i)];
        }
        out[0][static_cast<size_t>(row * d.O + o)] = sum;
      }
    }
  };
  c.tolerance = {4e-6, 1e-14, "I products rounded once each, the error grows like sqrt(I)"};
  c.flops = 2.0 * static_cast<double>(d.M * d.B * d.G * d.I * d.O);
  c.bytes = 4.0 * static_cast<double>(d.M * d.G * (d.B * (d.I + d.O) + d.O * d.I));
  return c;
}

inline std::vector<Case> grouped_matmul_cases() {
  return {grouped_matmul_case("M3 B5 G4 I7 O3", {3, 5, 4, 7, 3, true}),
          grouped_matmul_case("M2 B1 G3 I5 O1 one row", {2, 1, 3, 5, 1, true}),
          grouped_matmul_case("M2 B300 G2 I9 O17 two steps of dw", {2, 300, 2, 9, 17, false}),
          grouped_matmul_case("M2 B80 G40 I24 O12 parallel", {2, 80, 40, 24, 12, true})};
}

}  // namespace sv::cases
