// Cases of rmsnorm.
#pragma once
#include <cmath>

#include "kernels/ops/case.h"
#include "kernels/ops/rmsnorm/rmsnorm.h"

namespace sv::cases {

inline Case rmsnorm_case(const std::string& name, int64_t M, int64_t N, int64_t D, bool with_gain) {
  constexpr double kEps = 1e-5;
  Case c;
  c.name = name;
  c.models = static_cast<int>(M);
  c.inputs = {normal("x", {M, N, D}, 1.0, true)};
  if (with_gain) {
    c.inputs.push_back(normal("gain", {M, D}));
  }
  c.outputs = {{.name = "y", .shape = {M, N, D}, .rows = true},
               {.name = "inv_rms", .shape = {M, N}, .saved = true, .rows = true}};
  const auto gain = [](const Tensors& in) { return in.size() > 1 ? in[1] : Tensor{}; };
  c.run = [=](const Context& ctx, const Tensors& in, const Tensors& out) {
    ops::rmsnorm(ctx, in[0], gain(in), kEps, out[0], out[1]);
  };
  c.vjp = [=](const Context& ctx,
              const Tensors& in,
              const Tensors& out,
              const Tensors& dout,
              const Grads& din) {
    ops::rmsnorm_vjp(
        ctx, in[0], gain(in), out[1], dout[0], din[0], din.size() > 1 ? din[1] : Grad{});
  };
  c.reference = [=](const Arrays& in, Arrays& out) {
    for (int64_t n = 0; n < M * N; ++n) {
      double squares = 0;
      for (int64_t i = 0; i < D; ++i) {
        squares += in[0][n * D + i] * in[0][n * D + i];
      }
      out[1][n] = 1 / std::sqrt(squares / D + kEps);
      for (int64_t i = 0; i < D; ++i) {
        out[0][n * D + i] =
            in[0][n * D + i] * out[1][n] * (in.size() > 1 ? in[1][n / N * D + i] : 1.0);
      }
    }
  };
  c.tolerance = {4e-6, 1e-14, "a sum of D squares and a root, each rounded once or twice"};
  c.flops = 5.0 * M * N * D;
  c.bytes = 8.0 * M * N * D;
  return c;
}

inline std::vector<Case> rmsnorm_cases() {
  return {rmsnorm_case("M3 N5 D7", 3, 5, 7, true),
          rmsnorm_case("M2 N3 D33 no gain", 2, 3, 33, false),
          rmsnorm_case("M2 N70 D48", 2, 70, 48, true),
          rmsnorm_case("M5 N300 D48", 5, 300, 48, true)};
}

}  // namespace sv::cases
