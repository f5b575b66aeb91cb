// Cases of activate, one per kind.
#pragma once
#include <cmath>
#include <numbers>

#include "kernels/ops/activate/activate.h"
#include "kernels/ops/case.h"

namespace sv::cases {

inline double activation_reference(ops::Activation kind, double x) {
  switch (kind) {
    case ops::Activation::relu:
      return x > 0 ? x : 0;
    case ops::Activation::gelu:
      return 0.5 * x *
             (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
    case ops::Activation::silu:
      return x / (1 + std::exp(-x));
    case ops::Activation::tanh:
      return std::tanh(x);
    case ops::Activation::sigmoid:
      return 1 / (1 + std::exp(-x));
    case ops::Activation::softplus:
      return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
    case ops::Activation::exp:
      return std::exp(x);
    case ops::Activation::log:
      return std::log(x);
    case ops::Activation::relu_squared:
      return x > 0 ? x * x : 0;
    case ops::Activation::step:
      return x > 0 ? 1 : 0;
  }
  return NAN;
}

inline Case activate_case(const std::string& name, ops::Activation kind, const Shape& shape) {
  Case c;
  c.name = name;
  c.models = static_cast<int>(shape[0]);
  c.inputs = {normal("x", shape, 2.0, true)};
  for (double& x : c.inputs[0].values) {
    x = kind == ops::Activation::log ? static_cast<double>(static_cast<float>(0.25 + x * x)) : x;
  }
  c.outputs = {{.name = "y", .shape = shape, .rows = true}};
  c.run = [=](const Context& ctx, const Tensors& in, const Tensors& out) {
    ops::activate(ctx, kind, in[0], out[0]);
  };
  c.vjp = [=](const Context& ctx,
              const Tensors& in,
              const Tensors&,
              const Tensors& dout,
              const Grads& din) { ops::activate_vjp(ctx, kind, in[0], dout[0], din[0]); };
  c.reference = [=](const Arrays& in, Arrays& out) {
    for (size_t i = 0; i < in[0].size(); ++i) {
      out[0][i] = activation_reference(kind, in[0][i]);
    }
  };
  c.tolerance = {1e-6, 1e-14, "an exponential of 2 ulp and a few rounded operations"};
  c.flops = 20.0 * shape.numel();
  c.bytes = 8.0 * shape.numel();
  return c;
}

inline std::vector<Case> activate_cases() {
  using ops::Activation;
  return {activate_case("relu", Activation::relu, {3, 4, 7}),
          activate_case("gelu", Activation::gelu, {3, 4, 7}),
          activate_case("silu", Activation::silu, {2, 3, 5, 7}),
          activate_case("tanh", Activation::tanh, {2, 9, 3}),
          activate_case("sigmoid", Activation::sigmoid, {3, 2, 8}),
          activate_case("softplus", Activation::softplus, {2, 5, 9}),
          activate_case("exp", Activation::exp, {3, 3, 7}),
          activate_case("log", Activation::log, {2, 5, 7}),
          activate_case("relu squared", Activation::relu_squared, {2, 4, 9}),
          activate_case("step", Activation::step, {2, 4, 9}),
          activate_case("gelu large", Activation::gelu, {3, 150, 64})};
}

}  // namespace sv::cases
