// Cases of silu_gate.
#pragma once
#include <cmath>

#include "kernels/ops/case.h"
#include "kernels/ops/silu_gate/silu_gate.h"

namespace sv::cases {

inline Case silu_gate_case(const std::string& name, int64_t M, int64_t N, int64_t F) {
  Case c;
  c.name = name;
  c.models = static_cast<int>(M);
  c.inputs = {normal("x", {M, N, 2 * F}, 2.0, true)};
  c.outputs = {{.name = "y", .shape = {M, N, F}, .rows = true}};
  c.run = [](const Context& ctx, const Tensors& in, const Tensors& out) {
    ops::silu_gate(ctx, in[0], out[0]);
  };
  c.vjp = [](const Context& ctx,
             const Tensors& in,
             const Tensors&,
             const Tensors& dout,
             const Grads& din) { ops::silu_gate_vjp(ctx, in[0], dout[0], din[0]); };
  c.reference = [=](const Arrays& in, Arrays& out) {
    for (int64_t n = 0; n < M * N; ++n) {
      for (int64_t i = 0; i < F; ++i) {
        const double gate = in[0][2 * n * F + i], up = in[0][2 * n * F + F + i];
        out[0][n * F + i] = gate / (1 + std::exp(-gate)) * up;
      }
    }
  };
  c.tolerance = {1e-6, 1e-14, "an exponential of 2 ulp and four rounded operations"};
  c.flops = 20.0 * M * N * F;
  c.bytes = 12.0 * M * N * F;
  return c;
}

inline std::vector<Case> silu_gate_cases() {
  return {silu_gate_case("M3 N5 F7", 3, 5, 7),
          silu_gate_case("M2 N9 F16", 2, 9, 16),
          silu_gate_case("M5 N64 F128", 5, 64, 128)};
}

}  // namespace sv::cases
