// Cases of sample: the same numbers from core/rng.h one at a time, and std::log.
#pragma once
#include <cmath>

#include "kernels/ops/case.h"
#include "kernels/ops/sample/sample.h"

namespace sv::cases {

inline Case sample_case(const std::string& name,
                        const Shape& shape,
                        double temperature,
                        uint64_t step) {
  Case c;
  c.name = name;
  const int64_t M = shape[0], N = shape[1] * shape[2], V = shape[3];
  c.models = static_cast<int>(M);
  c.inputs = {constant(normal("logits", shape, 2.0, true)), integers("keys", {M, 2}, -9999, 9999)};
  c.outputs = {{.name = "out", .shape = {M, shape[1], shape[2]}, .kind = Kind::i32, .rows = true}};
  const ops::SampleDraw draw{stream_of("sample case"), step, temperature};
  c.run = [=](const Context& ctx, const Tensors& in, const Tensors& out) {
    ops::sample(ctx, in[0], in[1], draw, out[0]);
  };
  c.reference = [=](const Arrays& in, Arrays& out) {
    for (int64_t row = 0; row < M * N; ++row) {
      const auto word = [&](int64_t i) {
        return uint64_t{static_cast<uint32_t>(static_cast<int32_t>(in[1][2 * (row / N) + i]))};
      };
      const Rng rng(word(0) | word(1) << 32, draw.stream, draw.step);
      double best = -INFINITY;
      for (int64_t v = 0; v < V; ++v) {
        const auto index = static_cast<uint64_t>(row % N * ((V + 3) / 4) * 4 + v);
        const double u = ((rng.bits(index) >> 9) + 0.5) * 0x1.0p-23;
        const double value = in[0][row * V + v] / temperature - std::log(-std::log(u));
        out[0][row] = value > best ? static_cast<double>(v) : out[0][row];
        best = std::max(best, value);
      }
    }
  };
  c.tolerance = {0, 0, "an index: no two of the values are as near as their rounding errors"};
  c.flops = 60.0 * shape.numel();
  c.bytes = 4.0 * shape.numel() + 4.0 * M * N;
  return c;
}

inline std::vector<Case> sample_cases() {
  return {sample_case("M3 B2 T5 V7", {3, 2, 5, 7}, 1, 0),
          sample_case("M2 B3 T3 V1", {2, 3, 3, 1}, 1, 5),
          sample_case("M2 B9 T4 V64 cold", {2, 9, 4, 64}, 0.25, uint64_t{1} << 40),
          sample_case("M2 B2 T2 V1030", {2, 2, 2, 1030}, 2, 1)};
}

}  // namespace sv::cases
