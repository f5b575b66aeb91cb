// Cases of the elementwise ops; their VJPs are written here as autograd/ops.cpp composes them.
#pragma once
#include "kernels/ops/case.h"
#include "kernels/ops/elementwise/elementwise.h"

namespace sv::cases {

/// y = f(a, b) element by element on (M, N, D).
inline Case elementwise_case(const std::string& name,
                             int64_t M,
                             int64_t N,
                             int64_t D,
                             std::function<double(double, double)> f) {
  Case c;
  c.name = name;
  c.models = static_cast<int>(M);
  c.inputs = {normal("a", {M, N, D}, 1.0, true), normal("b", {M, N, D}, 1.0, true)};
  c.outputs = {{.name = "y", .shape = {M, N, D}, .rows = true}};
  c.reference = [=](const Arrays& in, Arrays& out) {
    for (size_t i = 0; i < out[0].size(); ++i) {
      out[0][i] = f(in[0][i], in[1][i]);
    }
  };
  c.tolerance = {3e-7, 1e-15, "two products and a sum, each rounded once"};
  c.flops = 1.0 * M * N * D;
  c.bytes = 12.0 * M * N * D;
  return c;
}

inline Case add_case(const std::string& name, int64_t M, int64_t N, int64_t D) {
  Case c = elementwise_case(name, M, N, D, [](double a, double b) { return a + b; });
  c.run = [](const Context& ctx, const Tensors& in, const Tensors& out) {
    ops::add(ctx, in[0], in[1], out[0]);
  };
  c.vjp = [](const Context& ctx,
             const Tensors&,
             const Tensors&,
             const Tensors& dout,
             const Grads& din) {
    ops::put(ctx, dout[0], din[0]);
    ops::put(ctx, dout[0], din[1]);
  };
  return c;
}

inline std::vector<Case> elementwise_cases() {
  std::vector<Case> cases;
  cases.reserve(8);  // references to elements are held below
  const auto new_case = [&](const std::string& name,
                            std::function<double(double, double)> f) -> Case& {
    return cases.emplace_back(elementwise_case(name, 3, 7, 5, std::move(f)));
  };
  cases.push_back(add_case("add", 3, 7, 5));
  Case& mul = new_case("mul", [](double a, double b) { return a * b; });
  mul.run = [](const Context& ctx, const Tensors& in, const Tensors& out) {
    ops::mul(ctx, in[0], in[1], out[0]);
  };
  mul.vjp = [](const Context& ctx,
               const Tensors& in,
               const Tensors&,
               const Tensors& dout,
               const Grads& din) {
    const ArenaScope scope(*ctx.arena);
    const Tensor d = make_tensor(*ctx.arena, dout[0].shape, dout[0].dtype);
    for (const size_t i : {0u, 1u}) {
      ops::mul(ctx, dout[0], in[1 - i], d);
      ops::put(ctx, d, din[i]);
    }
  };
  Case& mix = new_case("mix", [](double a, double b) { return 0.75 * a - 1.5 * b; });
  mix.run = [](const Context& ctx, const Tensors& in, const Tensors& out) {
    ops::mix(ctx, in[0], 0.75, in[1], -1.5, out[0]);
  };
  Case& scale = new_case("scale", [](double a, double) { return -0.25 * a; });
  scale.run = [](const Context& ctx, const Tensors& in, const Tensors& out) {
    ops::scale(ctx, in[0], -0.25, out[0]);
  };
  Case& affine = new_case("affine", [](double a, double) { return 0.5 - 1.25 * a; });
  affine.run = [](const Context& ctx, const Tensors& in, const Tensors& out) {
    ops::affine(ctx, in[0], -1.25, 0.5, out[0]);
  };
  cases.push_back(add_case("add M5 N900 D48", 5, 900, 48));
  return cases;
}

}  // namespace sv::cases
