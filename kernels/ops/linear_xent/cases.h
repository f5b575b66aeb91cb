// Cases of linear_xent: the logits written out, then softmax_xent's equation.
#pragma once
#include "kernels/ops/linear_xent/linear_xent.h"
#include "kernels/ops/softmax_xent/cases.h"

namespace sv::cases {

struct LinearXentDims {
  XentDims xent;  // spread: of the weights
  int64_t D;
  bool bias;
};

inline ops::LinearXentInputs linear_xent_inputs(const Tensors& in) {
  return {in[0], in[1], in.size() > 4 ? in[4] : Tensor{}, in[2], in[3]};
}

inline void linear_xent_reference(const LinearXentDims& d, const Arrays& in, Arrays& out) {
  const XentDims& x = d.xent;
  Array logits;
  for (int64_t row = 0; row < x.M * x.B * x.T; ++row) {
    const int64_t m = row / (x.B * x.T);
    for (int64_t v = 0; v < x.V; ++v) {
      double z = d.bias ? in[4][m * x.V + v] : 0.0;
      for (int64_t k = 0; k < d.D; ++k) {
        z += in[0][row * d.D + k] * in[1][(m * x.V + v) * d.D + k];
      }
      logits.push_back(z);
    }
  }
  softmax_xent_reference(x, {logits, in[2], in[3]}, out);
}

inline Case linear_xent_case(const std::string& name, const LinearXentDims& d) {
  const XentDims& x = d.xent;
  Case c = softmax_xent_case(name, x);  // for targets, weights and outputs
  c.inputs[0] = normal("x", {x.M, x.B, x.T, d.D}, 1.0, true);
  c.inputs.insert(c.inputs.begin() + 1, normal("w", {x.M, x.V, d.D}, x.spread));
  if (d.bias) {
    c.inputs.push_back(normal("bias", {x.M, x.V}));
  }
  c.run = [](const Context& ctx, const Tensors& in, const Tensors& out) {
    ops::linear_xent(ctx, linear_xent_inputs(in), out[0], out[1], out[2]);
  };
  c.vjp = [](const Context& ctx,
             const Tensors& in,
             const Tensors& out,
             const Tensors& dout,
             const Grads& din) {
    ops::linear_xent_vjp(ctx,
                         linear_xent_inputs(in),
                         out[2],
                         dout[0],
                         din[0],
                         din[1],
                         din.size() > 4 ? din[4] : Grad{});
  };
  c.reference = [=](const Arrays& in, Arrays& out) { linear_xent_reference(d, in, out); };
  c.tolerance = {4e-6, 4e-14, "logits as in matmul, then a sum of V exponentials and a logarithm"};
  const double rows = static_cast<double>(x.M * x.B * x.T);
  c.flops = rows * static_cast<double>(x.V) * (2.0 * static_cast<double>(d.D) + 15.0);
  c.bytes = 4.0 * (rows * static_cast<double>(d.D + 4) + static_cast<double>(x.M * x.V * d.D));
  return c;
}

inline std::vector<Case> linear_xent_cases() {
  return {linear_xent_case("M3 B2 T5 V7 D9", {{3, 2, 5, 7, 3, 3, 0.3}, 9, true}),
          linear_xent_case("M2 B3 T4 V70 D33 shared", {{2, 3, 4, 70, 1, 1, 0.3}, 33, false}),
          linear_xent_case("M2 B1 T1 V1 D1", {{2, 1, 1, 1, 2, 1, 1}, 1, true}),
          linear_xent_case("M2 B10 T9 V130 D12", {{2, 10, 9, 130, 1, 2, 0.5}, 12, true}),
          linear_xent_case("M3 B20 T30 V16 D20", {{3, 20, 30, 16, 1, 1, 0.3}, 20, true})};
}

}  // namespace sv::cases
