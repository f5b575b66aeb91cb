// Cases of concat.
#pragma once
#include "kernels/ops/case.h"
#include "kernels/ops/concat/concat.h"

namespace sv::cases {

inline Case concat_case(const std::string& name, int64_t M, int64_t N, int64_t A, int64_t C) {
  Case c;
  c.name = name;
  c.models = static_cast<int>(M);
  c.inputs = {normal("a", {M, N, A}, 1.0, true), normal("b", {M, N, C}, 1.0, true)};
  c.outputs = {{.name = "y", .shape = {M, N, A + C}, .rows = true}};
  c.run = [](const Context& ctx, const Tensors& in, const Tensors& out) {
    ops::concat(ctx, in[0], in[1], out[0]);
  };
  c.vjp = [](const Context& ctx,
             const Tensors&,
             const Tensors&,
             const Tensors& dout,
             const Grads& din) { ops::concat_vjp(ctx, dout[0], din[0], din[1]); };
  c.reference = [=](const Arrays& in, Arrays& out) {
    for (int64_t n = 0; n < M * N; ++n) {
      for (int64_t i = 0; i < A + C; ++i) {
        out[0][n * (A + C) + i] = i < A ? in[0][n * A + i] : in[1][n * C + i - A];
      }
    }
  };
  c.tolerance = {0, 0, "a copy"};
  c.bytes = 8.0 * M * N * (A + C);
  return c;
}

inline std::vector<Case> concat_cases() {
  return {concat_case("M3 N5 A7 C3", 3, 5, 7, 3), concat_case("M2 N400 A48 C48", 2, 400, 48, 48)};
}

}  // namespace sv::cases
