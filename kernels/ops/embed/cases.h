// Cases of embed: own and shared ids, ids shared over the batch (learned positions).
#pragma once
#include "kernels/ops/case.h"
#include "kernels/ops/embed/embed.h"

namespace sv::cases {

inline Case embed_case(const std::string& name,
                       const Shape& ids,
                       int64_t M,
                       int64_t B,
                       int64_t T,
                       int64_t V,
                       int64_t D) {
  Case c;
  c.name = name;
  c.models = static_cast<int>(M);
  c.inputs = {integers("ids", ids, 0, static_cast<int>(V)), normal("table", {M, V, D})};
  c.inputs[0].rows = ids[1] == B;
  c.outputs = {{.name = "y", .shape = {M, B, T, D}, .rows = ids[1] == B}};
  c.run = [](const Context& ctx, const Tensors& in, const Tensors& out) {
    ops::embed(ctx, in[0], in[1], out[0]);
  };
  c.vjp = [](const Context& ctx,
             const Tensors& in,
             const Tensors&,
             const Tensors& dout,
             const Grads& din) { ops::embed_vjp(ctx, in[0], dout[0], din[1]); };
  c.reference = [=](const Arrays& in, Arrays& out) {
    for (int64_t row = 0; row < M * B * T; ++row) {
      const int64_t m = ids[0] == 1 ? 0 : row / (B * T), b = ids[1] == 1 ? 0 : row / T % B;
      const auto id = static_cast<int64_t>(in[0][(m * ids[1] + b) * T + row % T]);
      for (int64_t i = 0; i < D; ++i) {
        out[0][row * D + i] = in[1][(row / (B * T) * V + id) * D + i];
      }
    }
  };
  c.tolerance = {1e-7, 1e-15, "a copy; the f32 figure bounds the sums of the VJP"};
  c.bytes = 8.0 * M * B * T * D;
  return c;
}

inline std::vector<Case> embed_cases() {
  return {embed_case("M3 own ids", {3, 2, 5}, 3, 2, 5, 4, 7),
          embed_case("M2 shared ids", {1, 4, 3}, 2, 4, 3, 11, 5),
          embed_case("M2 positions", {1, 1, 6}, 2, 3, 6, 6, 3),
          embed_case("M3 B40 T36 D48", {3, 40, 36}, 3, 40, 36, 9, 48)};
}

}  // namespace sv::cases
