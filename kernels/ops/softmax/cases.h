// Cases of softmax.
#pragma once
#include <algorithm>
#include <cmath>

#include "kernels/ops/case.h"
#include "kernels/ops/softmax/softmax.h"

namespace sv::cases {

inline Case softmax_case(const std::string& name, int64_t M, int64_t N, int64_t D, double spread) {
  Case c;
  c.name = name;
  c.models = static_cast<int>(M);
  c.inputs = {normal("x", {M, N, D}, spread, true)};
  c.outputs = {{.name = "y", .shape = {M, N, D}, .rows = true}};
  c.run = [](const Context& ctx, const Tensors& in, const Tensors& out) {
    ops::softmax(ctx, in[0], out[0]);
  };
  c.vjp = [](const Context& ctx,
             const Tensors&,
             const Tensors& out,
             const Tensors& dout,
             const Grads& din) { ops::softmax_vjp(ctx, out[0], dout[0], din[0]); };
  c.reference = [=](const Arrays& in, Arrays& out) {
    for (int64_t n = 0; n < M * N; ++n) {
      const double* x = in[0].data() + n * D;
      const double most = *std::max_element(x, x + D);
      double total = 0;
      for (int64_t i = 0; i < D; ++i) {
        total += std::exp(x[i] - most);
      }
      for (int64_t i = 0; i < D; ++i) {
        out[0][n * D + i] = std::exp(x[i] - most) / total;
      }
    }
  };
  c.tolerance = {1e-6, 1e-14, "exponentials of 2 ulp, their sum and a quotient"};
  c.flops = 15.0 * M * N * D;
  c.bytes = 8.0 * M * N * D;
  return c;
}

inline std::vector<Case> softmax_cases() {
  return {softmax_case("M3 N5 D7", 3, 5, 7, 2),
          softmax_case("M2 N9 D1", 2, 9, 1, 2),
          softmax_case("M2 N3 D33 large", 2, 3, 33, 200),
          softmax_case("M2 N2 D5000", 2, 2, 5000, 1),
          softmax_case("M5 N300 D48", 5, 300, 48, 2)};
}

}  // namespace sv::cases
