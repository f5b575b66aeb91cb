// Cases of rope: both directions, both layouts, places other than t.
#pragma once
#include <cmath>

#include "kernels/ops/case.h"
#include "kernels/ops/elementwise/elementwise.h"
#include "kernels/ops/rope/rope.h"

namespace sv::cases {

inline Case rope_case(const std::string& name,
                      const Shape& shape,
                      const ops::Rope& rope,
                      bool inverse = false) {
  Case c;
  c.name = name;
  c.models = static_cast<int>(shape[0]);
  c.inputs = {normal("x", shape, 1.0, true)};
  c.outputs = {{.name = "y", .shape = shape, .rows = true}};
  c.run = [=](const Context& ctx, const Tensors& in, const Tensors& out) {
    ops::rope(ctx, in[0], rope, inverse, out[0]);
  };
  c.vjp = [=](const Context& ctx,
              const Tensors&,
              const Tensors&,
              const Tensors& dout,
              const Grads& din) {
    if (din[0].adds()) {  // as autograd/ops.cpp does: rotate into scratch, then add
      const ArenaScope scope(*ctx.arena);
      const Tensor back = make_tensor(*ctx.arena, dout[0].shape, dout[0].dtype);
      ops::rope(ctx, dout[0], rope, !inverse, back);
      ops::add(ctx, din[0].t, back, din[0].t);
    } else {
      ops::rope(ctx, dout[0], rope, !inverse, din[0].t);
    }
  };
  c.reference = [=](const Arrays& in, Arrays& out) {
    const int64_t K = shape[3] / rope.heads;
    const bool neighbours = rope.layout == ops::RopeLayout::interleaved;
    const int64_t apart = neighbours ? 1 : K / 2;
    for (int64_t i = 0; i < shape.numel(); ++i) {
      const int64_t pair = neighbours ? i % K / 2 : i % (K / 2);
      const int64_t place = i / shape[3] % shape[2] + rope.offset;
      const bool second = neighbours ? i % 2 == 1 : i % K >= K / 2;
      const double angle = place * std::pow(rope.base, -2.0 * pair / K) * (inverse ? -1 : 1);
      const double other = second ? in[0][i - apart] : -in[0][i + apart];
      out[0][i] = in[0][i] * std::cos(angle) + other * std::sin(angle);
    }
  };
  c.tolerance = {
      4e-7,
      2e-14,
      "two products and a sum; the angle is off by its place times an ulp of the frequency"};
  c.flops = 3.0 * shape.numel();
  c.bytes = 8.0 * shape.numel();
  return c;
}

inline std::vector<Case> rope_cases() {
  return {
      rope_case("M3 B2 T5 H1 K6", {3, 2, 5, 6}, {1, 10000}),
      rope_case("M2 B3 T4 H3 K4 inverse", {2, 3, 4, 12}, {3, 100}, true),
      rope_case("M2 B2 T3 H2 K6 offset 7", {2, 2, 3, 12}, {2, 100, 7}),
      rope_case("M2 B2 T5 H1 K4 offset -2 inverse", {2, 2, 5, 4}, {1, 100, -2}, true),
      rope_case(
          "M2 B3 T4 H2 K6 interleaved", {2, 3, 4, 12}, {2, 100, 0, ops::RopeLayout::interleaved}),
      rope_case("M3 B2 T4 H1 K8 interleaved inverse offset 3",
                {3, 2, 4, 8},
                {1, 1000, 3, ops::RopeLayout::interleaved},
                true),
      rope_case("M5 B16 T36 H2 K24", {5, 16, 36, 48}, {2, 10000})};
}

}  // namespace sv::cases
