// Cases of sgd (torch.optim.SGD's update with the decay taken out of the gradient) and sign_sgd.
#pragma once
#include <cmath>

#include "kernels/ops/adamw/cases.h"
#include "kernels/ops/sgd/sgd.h"

namespace sv::cases {

inline constexpr double kSgdMomentum = 0.9, kSgdDecay = 0.1, kSgdEma = 0.75;

/// param, velocity and ema of one parameter, updated in place, then grad and lr.
inline Case descent_case(const std::string& name, const Shape& shape) {
  Case c;
  c.name = name;
  c.models = static_cast<int>(shape[0]);
  for (const char* part : {"param", "velocity", "ema"}) {
    const int at = static_cast<int>(c.inputs.size());
    c.inputs.push_back(constant(normal(part, shape)));
    c.outputs.push_back({.name = part, .shape = shape, .starts_as = at});
  }
  c.inputs.push_back(constant(normal("grad", shape)));
  c.inputs.push_back(adamw_rates(shape[0]));
  c.tolerance = {3e-7, 1e-15, "elementwise, a few rounded operations; scalars are rounded once"};
  c.flops = 8.0 * shape.numel();
  c.bytes = 28.0 * shape.numel();
  return c;
}

inline Case sgd_case(const std::string& name, const Shape& shape) {
  Case c = descent_case(name, shape);
  Array scale;
  for (int64_t m = 0; m < shape[0]; ++m) {
    scale.push_back(1.0 / static_cast<double>(m + 1));
  }
  for (double& x : scale) {
    x = static_cast<double>(static_cast<float>(x));
  }
  c.inputs.push_back(given("scale", {shape[0]}, scale, Kind::f64));
  c.run = [](const Context& ctx, const Tensors& in, const Tensors& out) {
    const std::vector<double> lr = on_host(ctx, in[4]), scales = on_host(ctx, in[5]);
    const ops::SgdTensors one{out[0], in[3], out[1], out[2], kSgdDecay};
    ops::sgd(ctx, {&one, 1}, {lr.data(), kSgdMomentum, scales.data(), kSgdEma});
  };
  c.reference = [=](const Arrays& in, Arrays& out) {
    const size_t size = in[0].size() / static_cast<size_t>(shape[0]);
    for (size_t i = 0; i < in[0].size(); ++i) {
      const double lr = in[4][i / size];
      out[1][i] = kSgdMomentum * in[1][i] + in[5][i / size] * in[3][i];
      out[0][i] = in[0][i] * (1 - lr * kSgdDecay) - lr * out[1][i];
      out[2][i] = kSgdEma * in[2][i] + (1 - kSgdEma) * out[0][i];
    }
  };
  return c;
}

/// Every third row has no gradient, every second element of the others neither.
inline Case sign_sgd_case(const std::string& name, const Shape& shape) {
  Case c = descent_case(name, shape);
  const auto width = static_cast<size_t>(shape[-1]);
  Array& grad = c.inputs[3].values;
  for (size_t i = 0; i < grad.size(); ++i) {
    grad[i] = i / width % 3 == 0 || i % 2 == 1 ? 0 : grad[i];
  }
  c.run = [](const Context& ctx, const Tensors& in, const Tensors& out) {
    const std::vector<double> lr = on_host(ctx, in[4]);
    const ops::SgdTensors one{out[0], in[3], {}, out[2], kSgdDecay};
    ops::sign_sgd(ctx, {&one, 1}, {lr.data(), 0, nullptr, kSgdEma});
  };
  c.reference = [=](const Arrays& in, Arrays& out) {
    const size_t size = in[0].size() / static_cast<size_t>(shape[0]);
    for (size_t row = 0; row < in[0].size(); row += width) {
      bool used = false;
      for (size_t i = row; i < row + width; ++i) {
        used = used || in[3][i] != 0;
      }
      for (size_t i = row; i < row + width; ++i) {
        const double lr = in[4][i / size], g = in[3][i];
        if (used) {
          out[0][i] = in[0][i] * (1 - lr * kSgdDecay) - lr * ((g > 0) - (g < 0));
        }
        out[2][i] = kSgdEma * in[2][i] + (1 - kSgdEma) * out[0][i];
      }
    }
  };
  return c;
}

inline std::vector<Case> sgd_cases() {
  return {sgd_case("sgd M3", {3, 5, 7}),
          sgd_case("sgd M2 large", {2, 130, 300}),
          sign_sgd_case("sign M3", {3, 5, 8}),
          sign_sgd_case("sign M3 one row", {3, 7}),
          sign_sgd_case("sign M2 large", {2, 400, 96})};
}

}  // namespace sv::cases
