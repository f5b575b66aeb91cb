#include "models/train/optimiser.h"

#include <algorithm>
#include <cmath>

#include "kernels/memory/copy.h"

namespace sv {

double OptimiserSettings::lr_at(int64_t step) const {
  double factor = 1;
  if (step < warmup) {
    factor = static_cast<double>(step + 1) / warmup;
  }
  const double falling = decay * steps;
  if (falling > 0) {
    const double left = (static_cast<double>(steps) - static_cast<double>(step)) / falling;
    factor = std::min(factor, std::max(floor, floor + (1 - floor) * std::min(left, 1.0)));
  }
  return lr * factor;
}

Optimiser::Optimiser(Params& params, const OptimiserSettings& settings)
    : params_(params),
      settings_(settings),
      squares_({params.models()}, DType::f64, params.device()) {
  const auto models = static_cast<size_t>(params.models());
  grad_norm_.assign(models, 0);
  lr_.assign(models, 0);
  scale_.assign(models, 1);
  Device* const device = params.device();
  Context ctx;
  ctx.device = device;
  for (const Param& p : params) {
    const Tensor& value = p.value;
    Moments m{{value.shape, value.dtype, device}, {value.shape, value.dtype, device}, {}};
    if (settings.ema > 0) {
      m.average = Buffer(value.shape, value.dtype, device);
      copy_tensor(ctx, m.average, value);
    }
    moments_.push_back(std::move(m));
  }
}

void Optimiser::measure(const Context& ctx) {
  std::fill(grad_norm_.begin(), grad_norm_.end(), 0.0);
  grads_.clear();
  for (const Param& p : params_) {
    grads_.push_back(p.grad);
  }
  ops::grad_squares(ctx, grads_, squares_);
  const Tensor squares = to_host(ctx, squares_);
  for (int i = 0; i < ctx.model_count(squares); ++i) {
    const auto m = static_cast<size_t>(ctx.model(i));
    grad_norm_[m] = std::sqrt(squares.as<double>()[m]);
  }
}

void Optimiser::step(const Context& ctx, int64_t step) {
  std::fill(lr_.begin(), lr_.end(), settings_.lr_at(step));
  for (size_t m = 0; m < scale_.size(); ++m) {
    const bool cut = settings_.clip > 0 && grad_norm_[m] > settings_.clip;
    scale_[m] = cut ? settings_.clip / grad_norm_[m] : 1.0;
  }
  ops::AdamWStep s;
  s.lr = lr_.data();
  s.grad_scale = scale_.data();
  s.beta1 = settings_.beta1;
  s.beta2 = settings_.beta2;
  s.eps = settings_.eps;
  s.step = step + 1;
  s.ema_decay = settings_.ema;
  updated_.clear();
  for (size_t i = 0; i < moments_.size(); ++i) {
    const Param& p = params_[static_cast<ParamId>(i)];
    const Moments& m = moments_[i];
    const double decay = p.decay ? settings_.weight_decay : 0;
    updated_.push_back({p.value, p.grad, m.first, m.second, m.average, decay});
  }
  ops::adamw(ctx, updated_, s);
}

void Optimiser::swap_average() {
  for (size_t i = 0; settings_.ema > 0 && i < moments_.size(); ++i) {
    std::swap(params_[static_cast<ParamId>(i)].value, moments_[i].average);
  }
}

}  // namespace sv
