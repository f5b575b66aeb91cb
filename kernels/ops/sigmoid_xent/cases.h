// Cases of sigmoid_xent.
#pragma once
#include <cmath>

#include "kernels/ops/case.h"
#include "kernels/ops/sigmoid_xent/sigmoid_xent.h"

namespace sv::cases {

inline Case sigmoid_xent_case(
    const std::string& name, int64_t M, int64_t B, int64_t shared, double spread) {
  Case c;
  c.name = name;
  c.models = static_cast<int>(M);
  Input target = integers("target", {shared, B}, 0, 2);
  target.kind = Kind::real;
  c.inputs = {normal("logit", {M, B}, spread), target, constant(normal("weight", {M, B}))};
  c.outputs = {{.name = "loss", .shape = {M}}};
  c.run = [](const Context& ctx, const Tensors& in, const Tensors& out) {
    ops::sigmoid_xent(ctx, in[0], in[1], in[2], out[0]);
  };
  c.vjp = [](const Context& ctx,
             const Tensors& in,
             const Tensors&,
             const Tensors& dout,
             const Grads& din) {
    ops::sigmoid_xent_vjp(ctx, in[0], in[1], in[2], dout[0], din[0]);
  };
  c.reference = [=](const Arrays& in, Arrays& out) {
    for (int64_t i = 0; i < M * B; ++i) {
      const double x = in[0][i], t = in[1][shared == 1 ? i % B : i];
      const double softplus = std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
      out[0][i / B] += in[2][i] * (softplus - t * x);
    }
  };
  c.tolerance = {1e-6, 1e-13, "each term to a few ulp, summed in double"};
  c.flops = 30.0 * M * B;
  c.bytes = 12.0 * M * B;
  return c;
}

inline std::vector<Case> sigmoid_xent_cases() {
  return {sigmoid_xent_case("M3 B7", 3, 7, 3, 1),
          sigmoid_xent_case("M2 B130 shared target", 2, 130, 1, 3),
          sigmoid_xent_case("M2 B9 large logits", 2, 9, 2, 60)};
}

}  // namespace sv::cases
