// Cases of adamw: PyTorch's published update, written out line by line.
#pragma once
#include <cmath>

#include "kernels/ops/adamw/adamw.h"
#include "kernels/ops/case.h"

namespace sv::cases {

inline Case adamw_case(const std::string& name, const Shape& shape, int64_t step, bool with_ema) {
  Case c;
  c.name = name;
  const int64_t M = shape[0];
  c.models = static_cast<int>(M);
  Array rates, scales;
  for (int64_t m = 0; m < M; ++m) {
    rates.push_back(static_cast<float>(0.01 * static_cast<double>(m + 1)));
    scales.push_back(1.0 / static_cast<double>(1 << m));
  }
  Input v = constant(normal("v", shape));
  for (double& x : v.values) {
    x = std::abs(x);
  }
  c.inputs = {constant(normal("param", shape)),
              constant(normal("m", shape)),
              v,
              constant(normal("ema", shape)),
              constant(normal("grad", shape)),
              given("lr", {M}, rates, Kind::f64),
              given("grad scale", {M}, scales, Kind::f64)};
  c.outputs = {{.name = "param", .shape = shape, .starts_as = 0},
               {.name = "m", .shape = shape, .starts_as = 1},
               {.name = "v", .shape = shape, .starts_as = 2},
               {.name = "ema", .shape = shape, .starts_as = 3}};
  const ops::AdamWStep settings{nullptr, 0.1, 0.9, 0.95, 1e-8, step, nullptr, 0.75};
  c.run = [=](const Context& ctx, const Tensors& in, const Tensors& out) {
    ops::AdamWStep s = settings;
    s.lr = in[5].as<double>();
    s.grad_scale = in[6].as<double>();
    ops::adamw(ctx, out[0], in[4], out[1], out[2], with_ema ? out[3] : Tensor{}, s);
  };
  c.reference = [=](const Arrays& in, Arrays& out) {
    for (int64_t i = 0; i < shape.numel(); ++i) {
      const int64_t model = i / (shape.numel() / M);
      const double lr = in[5][model], g = in[4][i] * in[6][model];
      const double param = in[0][i] * (1 - lr * settings.weight_decay);
      out[1][i] = settings.beta1 * in[1][i] + (1 - settings.beta1) * g;
      out[2][i] = settings.beta2 * in[2][i] + (1 - settings.beta2) * g * g;
      const double step_size = lr / (1 - std::pow(settings.beta1, step));
      const double denominator =
          std::sqrt(out[2][i]) / std::sqrt(1 - std::pow(settings.beta2, step)) + settings.eps;
      out[0][i] = param - step_size * out[1][i] / denominator;
      out[3][i] = with_ema ? settings.ema_decay * in[3][i] + (1 - settings.ema_decay) * out[0][i]
                           : in[3][i];
    }
  };
  c.tolerance = {
      1e-6, 1e-14, "elementwise, about ten rounded operations; scalars are rounded once"};
  c.flops = 14.0 * shape.numel();
  c.bytes = (with_ema ? 36.0 : 28.0) * shape.numel();
  return c;
}

inline std::vector<Case> adamw_cases() {
  return {adamw_case("M3 first step", {3, 5, 7}, 1, true),
          adamw_case("M2 later", {2, 9, 3}, 1000, false),
          adamw_case("M2 large", {2, 130, 96}, 10, true)};
}

}  // namespace sv::cases
