// Cases of halt: rows on both sides of the threshold, and rows that had stopped before.
#pragma once
#include "kernels/ops/case.h"
#include "kernels/ops/halt/halt.h"

namespace sv::cases {

inline Case halt_case(const std::string& name, const Shape& shape, double threshold, bool bias) {
  Case c;
  c.name = name;
  const int64_t M = shape[0], B = shape[1], T = shape[2], D = shape[3];
  c.models = static_cast<int>(M);
  c.inputs = {constant(normal("h", shape, 1.0, true)),
              constant(normal("w", {M, 1, D})),
              by_rows(integers("live", {M, B}, 0, 3))};
  if (bias) {
    c.inputs.push_back(constant(normal("bias", {M, 1})));
  }
  c.outputs = {{.name = "logit", .shape = {M, B}, .rows = true},
               {.name = "live", .shape = {M, B}, .kind = Kind::i32, .rows = true, .starts_as = 2}};
  c.run = [=](const Context& ctx, const Tensors& in, const Tensors& out) {
    ops::halt(ctx, in[0], in[1], in.size() > 3 ? in[3] : Tensor{}, threshold, out[0], out[1]);
  };
  c.reference = [=](const Arrays& in, Arrays& out) {
    for (int64_t b = 0; b < M * B; ++b) {
      double score = bias ? in[3][b / B] : 0.0;
      for (int64_t i = 0; i < T * D; ++i) {
        score += in[0][b * T * D + i] * in[1][b / B * D + i % D] / static_cast<double>(T);
      }
      out[0][b] = score;
      out[1][b] = in[2][b] != 0 && score <= threshold ? 1 : 0;
    }
  };
  c.tolerance = {2e-6, 1e-14, "a mean of T and a sum of D terms; no score lies at the threshold"};
  c.flops = 1.0 * shape.numel() + 2.0 * M * B * D;
  c.bytes = 4.0 * shape.numel() + 12.0 * M * B;
  return c;
}

inline std::vector<Case> halt_cases() {
  return {halt_case("M3 B5 T3 D7", {3, 5, 3, 7}, 0.1, true),
          halt_case("M2 B9 T12 D48", {2, 9, 12, 48}, 0, false),
          halt_case("M2 B4 T3 D300", {2, 4, 3, 300}, 2, true)};
}

}  // namespace sv::cases
