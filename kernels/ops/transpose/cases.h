// Cases of transpose: parts of tiles, several matrices per thread, one matrix on several.
#pragma once
#include "kernels/ops/case.h"
#include "kernels/ops/transpose/transpose.h"

namespace sv::cases {

inline Case transpose_case(const std::string& name, const Shape& x) {
  const int64_t T = x[-2], D = x[-1];
  Case c;
  c.name = name;
  c.models = static_cast<int>(x[0]);
  c.inputs = {normal("x", x, 1.0, x.rank() == 4)};
  c.outputs = {{.name = "y", .shape = x.with(-2, D).with(-1, T), .rows = x.rank() == 4}};
  c.run = [](const Context& ctx, const Tensors& in, const Tensors& out) {
    ops::transpose(ctx, in[0], out[0]);
  };
  c.vjp = [](const Context& ctx,
             const Tensors&,
             const Tensors&,
             const Tensors& dout,
             const Grads& din) { ops::transpose_vjp(ctx, dout[0], din[0]); };
  c.reference = [=](const Arrays& in, Arrays& out) {
    for (int64_t i = 0; i < x.numel(); ++i) {
      const int64_t matrix = i / (T * D), t = i / D % T, d = i % D;
      out[0][static_cast<size_t>((matrix * D + d) * T + t)] = in[0][static_cast<size_t>(i)];
    }
  };
  c.tolerance = {0, 0, "a copy"};
  c.bytes = 8.0 * static_cast<double>(x.numel());
  return c;
}

inline std::vector<Case> transpose_cases() {
  return {transpose_case("M3 B2 T5 D7", {3, 2, 5, 7}),
          transpose_case("M2 B3 T1 D6", {2, 3, 1, 6}),
          transpose_case("M2 T33 D18 one matrix", {2, 33, 18}),
          transpose_case("M2 B20 T36 D48 large", {2, 20, 36, 48}),
          transpose_case("M2 T130 D300 large matrix", {2, 130, 300})};
}

}  // namespace sv::cases
