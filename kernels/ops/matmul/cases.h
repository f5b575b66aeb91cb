// Cases of matmul: tails of tiles and panels, more than one block of k, one row, and the demo's
// shape.
#pragma once
#include "kernels/ops/case.h"
#include "kernels/ops/matmul/matmul.h"

namespace sv::cases {

struct MatmulDims {
  int64_t M, N, K, O;
  bool bias;
};

inline Case matmul_case(const std::string& name, MatmulDims d) {
  const auto [M, N, K, O, bias] = d;
  Case c;
  c.name = name;
  c.models = static_cast<int>(M);
  c.inputs = {normal("x", {M, N, K}, 1.0, true), normal("w", {M, O, K}, 0.2)};
  if (bias) {
    c.inputs.push_back(normal("bias", {M, O}));
  }
  c.outputs = {{.name = "y", .shape = {M, N, O}, .rows = true}};
  c.run = [](const Context& ctx, const Tensors& in, const Tensors& out) {
    ops::matmul(ctx, in[0], in[1], in.size() > 2 ? in[2] : Tensor{}, out[0]);
  };
  c.vjp = [](const Context& ctx,
             const Tensors& in,
             const Tensors&,
             const Tensors& dout,
             const Grads& din) {
    ops::matmul_vjp(ctx, in[0], in[1], dout[0], din[0], din[1], din.size() > 2 ? din[2] : Grad{});
  };
  c.reference = [=](const Arrays& in, Arrays& out) {
    for (int64_t n = 0; n < M * N; ++n) {
      const int64_t m = n / N;
      for (int64_t o = 0; o < O; ++o) {
        double sum = 0;
        for (int64_t k = 0; k < K; ++k) {
          sum += in[0][n * K + k] * in[1][(m * O + o) * K + k];
        }
        out[0][n * O + o] = sum + (bias ? in[2][m * O + o] : 0.0);
      }
    }
  };
  c.tolerance = {4e-6, 1e-14, "K products rounded once each, the error grows like sqrt(K)"};
  c.flops = 2.0 * static_cast<double>(M * N * K * O);
  c.bytes = 4.0 * static_cast<double>(M * (N * K + O * K + N * O));
  return c;
}

inline std::vector<Case> matmul_cases() {
  return {matmul_case("M3 N5 K7 O3 bias", {3, 5, 7, 3, true}),
          matmul_case("M2 N1 K1 O1", {2, 1, 1, 1, false}),
          matmul_case("M2 N17 K9 O33 bias", {2, 17, 9, 33, true}),
          matmul_case("M2 N3 K300 O20 two blocks of k", {2, 3, 300, 20, false}),
          matmul_case("M2 N290 K12 O15 bias two steps of dw", {2, 290, 12, 15, true}),
          matmul_case("M3 N210 K48 O100 parallel", {3, 210, 48, 100, true})};
}

}  // namespace sv::cases
