// Cases of nll: both kinds, ignored targets, shared and own targets, large logits.
#pragma once
#include <algorithm>
#include <cmath>

#include "kernels/ops/case.h"
#include "kernels/ops/nll/nll.h"

namespace sv::cases {

struct NllDims {
  int64_t M, B, T, V;
  int64_t target_models;  // 1 or M
  double spread;          // standard deviation of the logits
};

/// s(x) of the contract, softmax on the scale of the row's largest logit.
inline double class_score(ops::LossKind kind, double x, double most) {
  if (kind == ops::LossKind::softmax) {
    return std::exp(x - most);
  }
  return x >= 0 ? x + 1 : 1 / (1 - x);
}

inline void nll_reference(const NllDims& d, ops::LossKind kind, const Arrays& in, Arrays& out) {
  const int64_t N = d.B * d.T;
  for (int64_t row = 0; row < d.M * N; ++row) {
    const double* x = in[0].data() + row * d.V;
    const double most = kind == ops::LossKind::softmax ? *std::max_element(x, x + d.V) : 0;
    double sum = 0;
    for (int64_t v = 0; v < d.V; ++v) {
      sum += class_score(kind, x[v], most);
    }
    const auto target = static_cast<int64_t>(in[1][d.target_models == 1 ? row % N : row]);
    out[1][row] = most + std::log(sum);
    out[0][row] = 0;
    if (target >= 0 && kind == ops::LossKind::softmax) {
      out[0][row] = out[1][row] - x[target];
    } else if (target >= 0) {
      out[0][row] = -std::log(class_score(kind, x[target], most) / sum);
    }
  }
}

inline Case nll_case(const std::string& name, ops::LossKind kind, const NllDims& d) {
  Case c;
  c.name = name;
  c.models = static_cast<int>(d.M);
  c.inputs = {normal("logits", {d.M, d.B, d.T, d.V}, d.spread, true),
              by_rows(integers("targets", {d.target_models, d.B, d.T}, -1, static_cast<int>(d.V)))};
  c.outputs = {
      {.name = "nll", .shape = {d.M, d.B, d.T}, .rows = true},
      {.name = "logz", .shape = {d.M, d.B, d.T}, .kind = Kind::f64, .saved = true, .rows = true}};
  c.run = [=](const Context& ctx, const Tensors& in, const Tensors& out) {
    ops::nll(ctx, kind, in[0], in[1], out[0], out[1]);
  };
  c.vjp = [=](const Context& ctx,
              const Tensors& in,
              const Tensors& out,
              const Tensors& dout,
              const Grads& din) { ops::nll_vjp(ctx, kind, in[0], in[1], out[1], dout[0], din[0]); };
  c.reference = [=](const Arrays& in, Arrays& out) { nll_reference(d, kind, in, out); };
  c.tolerance = {
      1.2e-7, 1e-14, "computed in double, rounded once; a logarithm of 1e-15 and a sum of V terms"};
  c.flops = (kind == ops::LossKind::softmax ? 20.0 : 5.0) * d.M * d.B * d.T * d.V;
  c.bytes = 4.0 * d.M * d.B * d.T * (d.V + 4);
  return c;
}

inline std::vector<Case> nll_cases() {
  using ops::LossKind;
  return {nll_case("softmax M3 B2 T5 V2", LossKind::softmax, {3, 2, 5, 2, 3, 3}),
          nll_case("softmax M2 B4 T3 V7 shared", LossKind::softmax, {2, 4, 3, 7, 1, 3}),
          nll_case("softmax M2 B2 T3 V16 large logits", LossKind::softmax, {2, 2, 3, 16, 2, 200}),
          nll_case("softmax M2 B2 T2 V200", LossKind::softmax, {2, 2, 2, 200, 1, 2}),
          nll_case("softmax M2 B2 T3 V1", LossKind::softmax, {2, 2, 3, 1, 1, 2}),
          nll_case("softmax M5 B64 T36 V7", LossKind::softmax, {5, 64, 36, 7, 5, 2}),
          nll_case("stablemax M3 B2 T5 V2", LossKind::stablemax, {3, 2, 5, 2, 3, 3}),
          nll_case("stablemax M2 B4 T3 V7 shared", LossKind::stablemax, {2, 4, 3, 7, 1, 3}),
          nll_case("stablemax M2 B2 T3 V16 large", LossKind::stablemax, {2, 2, 3, 16, 2, 200}),
          nll_case("stablemax M2 B2 T2 V200", LossKind::stablemax, {2, 2, 2, 200, 1, 2}),
          nll_case("stablemax M5 B64 T36 V7", LossKind::stablemax, {5, 64, 36, 7, 5, 2})};
}

}  // namespace sv::cases
