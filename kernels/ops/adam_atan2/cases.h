// Cases of adam_atan2: the update of the package, written out line by line.
#pragma once
#include <cmath>

#include "kernels/ops/adam_atan2/adam_atan2.h"
#include "kernels/ops/adamw/cases.h"

namespace sv::cases {

/// One parameter; every fifth gradient and moment is 0, where a quotient would need its eps.
inline Case adam_atan2_case(const std::string& name,
                            const Shape& shape,
                            int64_t step,
                            bool with_ema) {
  Case c;
  c.name = name;
  c.models = static_cast<int>(shape[0]);
  add_parameter(c, "", shape);
  for (const size_t part : {1u, 2u, 4u}) {
    for (size_t i = 0; i < c.inputs[part].values.size(); i += 5) {
      c.inputs[part].values[i] = 0;
    }
  }
  c.inputs.push_back(adamw_rates(shape[0]));
  c.run = [=](const Context& ctx, const Tensors& in, const Tensors& out) {
    const std::vector<double> lr = on_host(ctx, in[5]);
    ops::AdamWStep s = kAdamWSettings;
    s.lr = lr.data();
    s.step = step;
    const ops::AdamWTensors one{
        out[0], in[4], out[1], out[2], with_ema ? out[3] : Tensor{}, kAdamWSettings.weight_decay};
    ops::adam_atan2(ctx, {&one, 1}, s);
  };
  c.reference = [=](const Arrays& in, Arrays& out) {
    const ops::AdamWStep& s = kAdamWSettings;
    const size_t size = in[0].size() / static_cast<size_t>(shape[0]);
    for (size_t i = 0; i < in[0].size(); ++i) {
      const double lr = in[5][i / size], g = in[4][i];
      const double m = s.beta1 * in[1][i] + (1 - s.beta1) * g;
      const double v = s.beta2 * in[2][i] + (1 - s.beta2) * g * g;
      const double step_size = lr / (1 - std::pow(s.beta1, step));
      const double denominator = std::sqrt(v) / std::sqrt(1 - std::pow(s.beta2, step));
      out[0][i] = in[0][i] * (1 - lr * s.weight_decay) - step_size * std::atan2(m, denominator);
      out[1][i] = m;
      out[2][i] = v;
      if (with_ema) {
        out[3][i] = s.ema_decay * in[3][i] + (1 - s.ema_decay) * out[0][i];
      }
    }
  };
  finish_adamw_case(c, shape.numel(), with_ema);
  c.flops = 40.0 * shape.numel();
  return c;
}

inline std::vector<Case> adam_atan2_cases() {
  return {adam_atan2_case("M3 first step", {3, 5, 7}, 1, true),
          adam_atan2_case("M2 later", {2, 9, 3}, 1000, false),
          adam_atan2_case("M2 large", {2, 130, 96}, 10, true)};
}

}  // namespace sv::cases
