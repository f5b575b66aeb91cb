// Cases of softmax_xent: 2 to 200 classes, ignored targets, shared and own targets and weights,
// large logits.
#pragma once
#include <cmath>

#include "kernels/ops/case.h"
#include "kernels/ops/softmax_xent/softmax_xent.h"

namespace sv::cases {

struct XentDims {
  int64_t M, B, T, V;
  int64_t target_models, weight_models;  // 1 or M
  double spread;                         // standard deviation of the logits
};

inline void softmax_xent_reference(const XentDims& d, const Arrays& in, Arrays& out) {
  const int64_t N = d.B * d.T;
  for (int64_t row = 0; row < d.M * N; ++row) {
    const int64_t m = row / N, n = row % N;
    const double* x = in[0].data() + row * d.V;
    double most = x[0], sum = 0;
    for (int64_t v = 0; v < d.V; ++v) {
      most = std::max(most, x[v]);
    }
    for (int64_t v = 0; v < d.V; ++v) {
      sum += std::exp(x[v] - most);
    }
    const auto target = static_cast<int64_t>(in[1][(d.target_models == 1 ? 0 : m) * N + n]);
    out[2][row] = most + std::log(sum);
    out[1][row] = target < 0 ? 0 : out[2][row] - x[target];
    out[0][m] += in[2][(d.weight_models == 1 ? 0 : m) * N + n] * out[1][row];
  }
}

inline Case softmax_xent_case(const std::string& name, const XentDims& d) {
  Case c;
  c.name = name;
  c.models = static_cast<int>(d.M);
  Input weight = constant(normal("weight", {d.weight_models, d.B, d.T}, 1.0, true));
  for (double& w : weight.values) {
    w = std::abs(w);
  }
  Input targets =
      by_rows(integers("targets", {d.target_models, d.B, d.T}, -1, static_cast<int>(d.V)));
  c.inputs = {normal("logits", {d.M, d.B, d.T, d.V}, d.spread, true), targets, weight};
  c.outputs = {{.name = "loss", .shape = {d.M}},
               {.name = "nll", .shape = {d.M, d.B, d.T}, .saved = true, .rows = true},
               {.name = "logz", .shape = {d.M, d.B, d.T}, .saved = true, .rows = true}};
  c.run = [](const Context& ctx, const Tensors& in, const Tensors& out) {
    ops::softmax_xent(ctx, in[0], in[1], in[2], out[0], out[1], out[2]);
  };
  c.vjp = [](const Context& ctx,
             const Tensors& in,
             const Tensors& out,
             const Tensors& dout,
             const Grads& din) {
    ops::softmax_xent_vjp(ctx, in[0], in[1], in[2], out[2], dout[0], din[0]);
  };
  c.reference = [=](const Arrays& in, Arrays& out) { softmax_xent_reference(d, in, out); };
  c.tolerance = {2e-6,
                 2e-14,
                 "a sum of V exponentials of 2 ulp and a logarithm; the loss is summed in double"};
  c.flops = 15.0 * d.M * d.B * d.T * d.V;
  c.bytes = 4.0 * d.M * d.B * d.T * (d.V + 4);
  return c;
}

inline std::vector<Case> softmax_xent_cases() {
  return {softmax_xent_case("M3 B2 T5 V2", {3, 2, 5, 2, 3, 3, 1}),
          softmax_xent_case("M2 B4 T3 V7 shared", {2, 4, 3, 7, 1, 1, 3}),
          softmax_xent_case("M2 B2 T3 V16 large logits", {2, 2, 3, 16, 2, 1, 200}),
          softmax_xent_case("M2 B2 T2 V200", {2, 2, 2, 200, 1, 2, 2}),
          softmax_xent_case("M5 B64 T36 V7", {5, 64, 36, 7, 5, 1, 2})};
}

}  // namespace sv::cases
