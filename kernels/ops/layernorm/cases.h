// Cases of layernorm.
#pragma once
#include <cmath>

#include "kernels/ops/case.h"
#include "kernels/ops/layernorm/layernorm.h"

namespace sv::cases {

/// With gain and bias, or (`plain`) with neither.
inline Case layernorm_case(const std::string& name, int64_t M, int64_t N, int64_t D, bool plain) {
  constexpr double kEps = 1e-5;
  Case c;
  c.name = name;
  c.models = static_cast<int>(M);
  c.inputs = {normal("x", {M, N, D}, 1.0, true)};
  if (!plain) {
    c.inputs.push_back(normal("gain", {M, D}));
    c.inputs.push_back(normal("bias", {M, D}));
  }
  c.outputs = {{.name = "y", .shape = {M, N, D}, .rows = true},
               {.name = "stats", .shape = {M, N, 2}, .saved = true, .rows = true}};
  c.run = [=](const Context& ctx, const Tensors& in, const Tensors& out) {
    ops::layernorm(
        ctx, in[0], plain ? Tensor{} : in[1], plain ? Tensor{} : in[2], kEps, out[0], out[1]);
  };
  c.vjp = [=](const Context& ctx,
              const Tensors& in,
              const Tensors& out,
              const Tensors& dout,
              const Grads& din) {
    ops::layernorm_vjp(ctx,
                       in[0],
                       plain ? Tensor{} : in[1],
                       out[1],
                       dout[0],
                       din[0],
                       plain ? Grad{} : din[1],
                       plain ? Grad{} : din[2]);
  };
  c.reference = [=](const Arrays& in, Arrays& out) {
    for (int64_t n = 0; n < M * N; ++n) {
      double mean = 0, squares = 0;
      for (int64_t i = 0; i < D; ++i) {
        mean += in[0][n * D + i] / D;
      }
      for (int64_t i = 0; i < D; ++i) {
        squares += (in[0][n * D + i] - mean) * (in[0][n * D + i] - mean);
      }
      const double inv = 1 / std::sqrt(squares / D + kEps);
      out[1][2 * n] = mean;
      out[1][2 * n + 1] = inv;
      for (int64_t i = 0; i < D; ++i) {
        const double xhat = (in[0][n * D + i] - mean) * inv;
        out[0][n * D + i] = plain ? xhat : xhat * in[1][n / N * D + i] + in[2][n / N * D + i];
      }
    }
  };
  c.tolerance = {4e-6, 1e-14, "two sums of D terms and a root, each rounded once or twice"};
  c.flops = 8.0 * M * N * D;
  c.bytes = 8.0 * M * N * D;
  return c;
}

inline std::vector<Case> layernorm_cases() {
  return {layernorm_case("M3 N5 D7", 3, 5, 7, false),
          layernorm_case("M2 N3 D33 plain", 2, 3, 33, true),
          layernorm_case("M2 N70 D48", 2, 70, 48, false),
          layernorm_case("M3 N300 D48", 3, 300, 48, false)};
}

}  // namespace sv::cases
