// Cases of matmul: tails of tiles and panels, more than one block of k, one row, the demo's shape;
// then w in bf16, and tensor cores where the call is on a device.
#pragma once
#include "kernels/memory/device.h"
#include "kernels/ops/case.h"
#include "kernels/ops/matmul/matmul.h"

namespace sv::cases {

struct MatmulDims {
  int64_t M, N, K, O;
  bool bias;
};

inline Case matmul_case(const std::string& name, MatmulDims d) {
  const auto [M, N, K, O, bias] = d;
  Case c;
  c.name = name;
  c.models = static_cast<int>(M);
  c.inputs = {normal("x", {M, N, K}, 1.0, true), normal("w", {M, O, K}, 0.2)};
  if (bias) {
    c.inputs.push_back(normal("bias", {M, O}));
  }
  c.outputs = {{.name = "y", .shape = {M, N, O}, .rows = true}};
  c.run = [](const Context& ctx, const Tensors& in, const Tensors& out) {
    ops::matmul(ctx, in[0], in[1], in.size() > 2 ? in[2] : Tensor{}, out[0]);
  };
  c.vjp = [](const Context& ctx,
             const Tensors& in,
             const Tensors&,
             const Tensors& dout,
             const Grads& din) {
    ops::matmul_vjp(ctx, in[0], in[1], dout[0], din[0], din[1], din.size() > 2 ? din[2] : Grad{});
  };
  c.reference = [=](const Arrays& in, Arrays& out) {
    for (int64_t n = 0; n < M * N; ++n) {
      const int64_t m = n / N;
      for (int64_t o = 0; o < O; ++o) {
        double sum = 0;
        for (int64_t k = 0; k < K; ++k) {
          sum += in[0][n * K + k] * in[1][(m * O + o) * K + k];
        }
        out[0][n * O + o] = sum + (bias ? in[2][m * O + o] : 0.0);
      }
    }
  };
  c.tolerance = {4e-6, 1e-14, "K products rounded once each, the error grows like sqrt(K)"};
  c.flops = 2.0 * static_cast<double>(M * N * K * O);
  c.bytes = 4.0 * static_cast<double>(M * (N * K + O * K + N * O));
  return c;
}

/// A copy of w in bf16 where the call is in f32; its values are representable.
inline Tensor narrowed(const Context& ctx, const Tensor& w) {
  if (w.dtype != DType::f32) {
    return w;
  }
  std::vector<float> wide(static_cast<size_t>(w.numel()));
  const Tensor narrow = make_tensor(*ctx.arena, w.shape, DType::bf16);
  if (ctx.device) {
    ctx.device->to_host(wide.data(), w.data, w.bytes());
  } else {
    std::memcpy(wide.data(), w.data, w.bytes());
  }
  std::vector<bf16> values;
  for (const float x : wide) {
    values.emplace_back(x);
  }
  if (ctx.device) {
    ctx.device->to_device(narrow.data, values.data(), narrow.bytes());
  } else {
    std::memcpy(narrow.data, values.data(), narrow.bytes());
  }
  return narrow;
}

struct MatmulMode {
  Precision precision = Precision::f32;  // of a call on a device
  bool narrow = false;                   // w in bf16, without a gradient
};

/// Every operand is representable in bf16, so that all precisions have the same exact products and
/// differ in their sums alone.
inline Case matmul_mode_case(const std::string& name, MatmulDims d, MatmulMode mode) {
  Case c = matmul_case(name, d);
  c.outputs[0].cotangent = normal("cotangent.y", c.outputs[0].shape).values;
  const auto round = [](Array& values) {
    for (double& x : values) {
      x = static_cast<double>(static_cast<float>(bf16(static_cast<float>(x))));
    }
  };
  for (Input& in : c.inputs) {
    round(in.values);
  }
  round(c.outputs[0].cotangent);
  c.inputs[1].differentiable = !mode.narrow;
  const auto under = [mode](Context ctx, const Tensor& w, auto&& call) {
    const ArenaScope scope(*ctx.arena);
    ctx.precision = ctx.device ? mode.precision : Precision::f32;
    call(ctx, mode.narrow ? narrowed(ctx, w) : w);
  };
  c.run = [under](const Context& ctx, const Tensors& in, const Tensors& out) {
    under(ctx, in[1], [&](const Context& own, const Tensor& w) {
      ops::matmul(own, in[0], w, in.size() > 2 ? in[2] : Tensor{}, out[0]);
    });
  };
  c.vjp = [under](const Context& ctx,
                  const Tensors& in,
                  const Tensors&,
                  const Tensors& dout,
                  const Grads& din) {
    under(ctx, in[1], [&](const Context& own, const Tensor& w) {
      ops::matmul_vjp(own, in[0], w, dout[0], din[0], din[1], din.size() > 2 ? din[2] : Grad{});
    });
  };
  if (mode.precision != Precision::f32) {
    c.tolerance.f32 = 1e-5;
    c.tolerance.reason =
        "tensor cores cut what lies below the largest product of a step: an ulp a step";
  }
  return c;
}

inline std::vector<Case> matmul_cases() {
  return {matmul_case("M3 N5 K7 O3 bias", {3, 5, 7, 3, true}),
          matmul_case("M2 N1 K1 O1", {2, 1, 1, 1, false}),
          matmul_case("M2 N17 K9 O33 bias", {2, 17, 9, 33, true}),
          matmul_case("M2 N3 K300 O20 two blocks of k", {2, 3, 300, 20, false}),
          matmul_case("M2 N290 K12 O15 bias two steps of dw", {2, 290, 12, 15, true}),
          matmul_case("M3 N210 K48 O100 parallel", {3, 210, 48, 100, true}),
          matmul_case("M2 N1100 K12 O15 bias three sums of dw", {2, 1100, 12, 15, true}),
          matmul_mode_case("tf32 M2 N70 K40 O68 bias", {2, 70, 40, 68, true}, {Precision::tf32}),
          matmul_mode_case("bf16 M2 N70 K40 O68 bias", {2, 70, 40, 68, true}, {Precision::bf16}),
          matmul_mode_case("narrow M2 N17 K9 O33", {2, 17, 9, 33, false}, {Precision::f32, true}),
          matmul_mode_case("narrow M2 N70 K36 O68", {2, 70, 36, 68, false}, {Precision::f32, true}),
          matmul_mode_case(
              "narrow tf32 M2 N70 K36 O66 bias", {2, 70, 36, 66, true}, {Precision::tf32, true}),
          matmul_mode_case(
              "narrow bf16 M2 N70 K36 O66 bias", {2, 70, 36, 66, true}, {Precision::bf16, true})};
}

}  // namespace sv::cases
