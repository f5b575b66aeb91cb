// Cases of adamw: PyTorch's published update, written out line by line; one parameter with given
// scales, and several that are clipped by their common norm.
#pragma once
#include <cmath>

#include "kernels/memory/device.h"
#include "kernels/ops/adamw/adamw.h"
#include "kernels/ops/case.h"

namespace sv::cases {

inline constexpr ops::AdamWStep kAdamWSettings{nullptr, 0.1, 0.9, 0.95, 1e-8, 1, nullptr, 0.75};

/// The numbers of an f64 argument in host memory, where adamw reads them.
inline std::vector<double> on_host(const Context& ctx, const Tensor& t) {
  std::vector<double> values(static_cast<size_t>(t.numel()));
  if (ctx.device) {
    ctx.device->to_host(values.data(), t.data, t.bytes());
  } else {
    std::memcpy(values.data(), t.data, t.bytes());
  }
  return values;
}

/// param, m, v, ema and grad of one parameter: the first four are updated in place.
inline void add_parameter(Case& c, const std::string& name, const Shape& shape) {
  const int first = static_cast<int>(c.inputs.size());
  for (const char* part : {"param", "m", "v", "ema", "grad"}) {
    c.inputs.push_back(constant(normal(name + part, shape)));
  }
  for (double& x : c.inputs[static_cast<size_t>(first) + 2].values) {
    x = std::abs(x);
  }
  for (int i = 0; i < 4; ++i) {
    const std::string part = c.inputs[static_cast<size_t>(first + i)].name;
    c.outputs.push_back({.name = part, .shape = shape, .starts_as = first + i});
  }
}

inline Input adamw_rates(int64_t M) {
  Array rates;
  for (int64_t m = 0; m < M; ++m) {
    rates.push_back(static_cast<float>(0.01 * static_cast<double>(m + 1)));
  }
  return given("lr", {M}, rates, Kind::f64);
}

/// One element: its five numbers are in[first .. first + 4][i], its results out[to .. to + 3][i].
struct AdamWElementReference {
  double lr, scale, weight_decay;
  int64_t step;
  bool with_ema;

  void operator()(const Arrays& in, size_t first, Arrays& out, size_t to, size_t i) const {
    const ops::AdamWStep& s = kAdamWSettings;
    const double g = in[first + 4][i] * scale;
    const double param = in[first][i] * (1 - lr * weight_decay);
    const double m = s.beta1 * in[first + 1][i] + (1 - s.beta1) * g;
    const double v = s.beta2 * in[first + 2][i] + (1 - s.beta2) * g * g;
    const double step_size = lr / (1 - std::pow(s.beta1, step));
    const double denominator = std::sqrt(v) / std::sqrt(1 - std::pow(s.beta2, step)) + s.eps;
    out[to][i] = param - step_size * m / denominator;
    out[to + 1][i] = m;
    out[to + 2][i] = v;
    out[to + 3][i] = with_ema ? s.ema_decay * in[first + 3][i] + (1 - s.ema_decay) * out[to][i]
                              : in[first + 3][i];
  }
};

inline void finish_adamw_case(Case& c, int64_t elements, bool with_ema) {
  c.tolerance = {
      1e-6, 1e-14, "elementwise, about ten rounded operations; scalars are rounded once"};
  c.flops = 14.0 * elements;
  c.bytes = (with_ema ? 36.0 : 28.0) * elements;
}

inline Case adamw_case(const std::string& name, const Shape& shape, int64_t step, bool with_ema) {
  Case c;
  c.name = name;
  const int64_t M = shape[0];
  c.models = static_cast<int>(M);
  add_parameter(c, "", shape);
  Array scales;
  for (int64_t m = 0; m < M; ++m) {
    scales.push_back(1.0 / static_cast<double>(1 << m));
  }
  c.inputs.push_back(adamw_rates(M));
  c.inputs.push_back(given("grad scale", {M}, scales, Kind::f64));
  c.run = [=](const Context& ctx, const Tensors& in, const Tensors& out) {
    const std::vector<double> lr = on_host(ctx, in[5]), scale = on_host(ctx, in[6]);
    ops::AdamWStep s = kAdamWSettings;
    s.step = step;
    s.lr = lr.data();
    s.grad_scale = scale.data();
    ops::adamw(ctx, out[0], in[4], out[1], out[2], with_ema ? out[3] : Tensor{}, s);
  };
  c.reference = [=](const Arrays& in, Arrays& out) {
    const auto size = static_cast<size_t>(shape.numel() / M);
    for (size_t i = 0; i < in[0].size(); ++i) {
      const double lr = in[5][i / size], scale = in[6][i / size];
      AdamWElementReference{lr, scale, kAdamWSettings.weight_decay, step, with_ema}(
          in, 0, out, 0, i);
    }
  };
  finish_adamw_case(c, shape.numel(), with_ema);
  return c;
}

/// Parameters of the sizes given (of one model), every other one without weight decay and without
/// average; one norm per model clips them all.
inline Case adamw_pack_case(const std::string& name,
                            int64_t M,
                            const std::vector<int64_t>& sizes,
                            double clip) {
  Case c;
  c.name = name;
  c.models = static_cast<int>(M);
  int64_t elements = 0;
  for (size_t t = 0; t < sizes.size(); ++t) {
    add_parameter(c, std::to_string(t), {M, sizes[t]});
    elements += M * sizes[t];
  }
  c.inputs.push_back(adamw_rates(M));
  c.outputs.push_back({.name = "squares", .shape = {M}, .kind = Kind::f64});
  const auto decay = [](size_t t) { return t % 2 == 0 ? 0.1 : 0.0; };
  const size_t count = sizes.size();
  c.run = [=](const Context& ctx, const Tensors& in, const Tensors& out) {
    const std::vector<double> lr = on_host(ctx, in[5 * count]);
    Tensors grads;
    std::vector<ops::AdamWTensors> list;
    for (size_t t = 0; t < count; ++t) {
      const Tensor* o = &out[4 * t];
      grads.push_back(in[5 * t + 4]);
      list.push_back({o[0], grads[t], o[1], o[2], t % 2 == 0 ? o[3] : Tensor{}, decay(t)});
    }
    ops::grad_squares(ctx, grads, out[4 * count]);
    ops::AdamWStep s = kAdamWSettings;
    s.lr = lr.data();
    s.step = 3;
    s.clip = clip;
    s.squares = out[4 * count];
    ops::adamw(ctx, list, s);
  };
  c.reference = [=](const Arrays& in, Arrays& out) {
    Array& squares = out[4 * count];
    for (size_t t = 0; t < count; ++t) {
      for (size_t i = 0; i < in[5 * t].size(); ++i) {
        squares[i / static_cast<size_t>(sizes[t])] += in[5 * t + 4][i] * in[5 * t + 4][i];
      }
    }
    for (size_t t = 0; t < count; ++t) {
      for (size_t i = 0; i < in[5 * t].size(); ++i) {
        const size_t m = i / static_cast<size_t>(sizes[t]);
        const double norm = std::sqrt(squares[m]), scale = norm > clip ? clip / norm : 1;
        AdamWElementReference{in[5 * count][m], scale, decay(t), 3, t % 2 == 0}(
            in, 5 * t, out, 4 * t, i);
      }
    }
  };
  finish_adamw_case(c, elements, true);
  c.tolerance.f64 = 1e-13;
  c.tolerance.reason += "; squares: a sum of up to 17000 terms in double";
  return c;
}

/// One model of `count` parameters of `size` elements, side by side in memory.
inline Case adamw_views_case(const std::string& name, int64_t count, int64_t size) {
  Case c;
  c.name = name;
  add_parameter(c, "", {1, count * size});
  c.inputs.push_back(adamw_rates(1));
  c.run = [=](const Context& ctx, const Tensors& in, const Tensors& out) {
    const std::vector<double> lr = on_host(ctx, in[5]);
    std::vector<ops::AdamWTensors> list;
    for (int64_t p = 0; p < count; ++p) {
      const auto view = [&](const Tensor& t) {
        return t.reshape({count, size}).slice(p, 1).reshape({1, size});
      };
      list.push_back({view(out[0]), view(in[4]), view(out[1]), view(out[2]), view(out[3]), 0.1});
    }
    ops::AdamWStep s = kAdamWSettings;
    s.lr = lr.data();
    ops::adamw(ctx, list, s);
  };
  c.reference = [](const Arrays& in, Arrays& out) {
    for (size_t i = 0; i < in[0].size(); ++i) {
      AdamWElementReference{in[5][0], 1, 0.1, 1, true}(in, 0, out, 0, i);
    }
  };
  finish_adamw_case(c, count * size, true);
  return c;
}

inline std::vector<Case> adamw_cases() {
  return {adamw_case("M3 first step", {3, 5, 7}, 1, true),
          adamw_case("M2 later", {2, 9, 3}, 1000, false),
          adamw_case("M2 large", {2, 130, 96}, 10, true),
          adamw_pack_case("M3 clipped together", 3, {5, 0, 2052, 1, 36}, 7.5),
          adamw_pack_case("M2 below the clip", 2, {64, 17000}, 1e4)};
}

}  // namespace sv::cases
