// Cases of argmax, confidence, entropy and kl.
#pragma once
#include <cmath>

#include "kernels/ops/case.h"
#include "kernels/ops/readout_stats/readout_stats.h"

namespace sv::cases {

/// log softmax of a row of V.
inline Array log_softmax(const double* x, int64_t V) {
  double most = x[0], sum = 0;
  for (int64_t v = 0; v < V; ++v) {
    most = std::max(most, x[v]);
  }
  for (int64_t v = 0; v < V; ++v) {
    sum += std::exp(x[v] - most);
  }
  Array out;
  for (int64_t v = 0; v < V; ++v) {
    out.push_back(x[v] - most - std::log(sum));
  }
  return out;
}

inline Case readout_case(const std::string& name, const Shape& shape, double spread) {
  Case c;
  c.name = name;
  c.models = static_cast<int>(shape[0]);
  const int64_t V = shape[3];
  const Shape rows{shape[0], shape[1], shape[2]};
  c.inputs = {normal("p", shape, spread, true), normal("q", shape, spread, true)};
  for (size_t i = 0; i + 1 < c.inputs[0].values.size(); i += 5) {
    c.inputs[0].values[i] = c.inputs[0].values[i + 1];  // ties: the first must win
  }
  c.outputs = {{.name = "argmax", .shape = rows, .kind = Kind::i32, .rows = true},
               {.name = "entropy", .shape = rows, .rows = true},
               {.name = "kl", .shape = rows, .rows = true},
               {.name = "confidence", .shape = rows, .rows = true}};
  c.run = [](const Context& ctx, const Tensors& in, const Tensors& out) {
    ops::argmax(ctx, in[0], out[0]);
    ops::entropy(ctx, in[0], out[1]);
    ops::kl(ctx, in[0], in[1], out[2]);
    ops::confidence(ctx, in[0], out[3]);
  };
  c.reference = [=](const Arrays& in, Arrays& out) {
    for (int64_t row = 0; row < rows.numel(); ++row) {
      const Array p = log_softmax(in[0].data() + row * V, V),
                  q = log_softmax(in[1].data() + row * V, V);
      for (int64_t v = 0; v < V; ++v) {
        out[0][row] = p[v] > p[static_cast<size_t>(out[0][row])] ? v : out[0][row];
        out[1][row] -= std::exp(p[v]) * p[v];
        out[2][row] += std::exp(p[v]) * (p[v] - q[v]);
        out[3][row] = std::max(out[3][row], std::exp(p[v]));
      }
    }
  };
  c.tolerance = {
      2e-6, 1e-13, "sums of V terms with exponentials of 2 ulp, and differences of logarithms"};
  c.flops = 55.0 * shape.numel();
  c.bytes = 20.0 * shape.numel();
  return c;
}

inline std::vector<Case> readout_stats_cases() {
  return {readout_case("M3 B2 T3 V2", {3, 2, 3, 2}, 1),
          readout_case("M2 B3 T5 V7", {2, 3, 5, 7}, 2),
          readout_case("M2 B2 T3 V200", {2, 2, 3, 200}, 3),
          readout_case("M3 B40 T36 V10", {3, 40, 36, 10}, 5)};
}

}  // namespace sv::cases
