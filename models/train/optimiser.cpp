#include "models/train/optimiser.h"

#include <algorithm>
#include <cmath>

#include "core/nearest.h"
#include "kernels/memory/copy.h"
#include "kernels/memory/device.h"
#include "kernels/ops/adam_atan2/adam_atan2.h"
#include "kernels/ops/adamw/adamw_scalars.h"

namespace sv {

const std::vector<std::string>& optimiser_names() {
  static const std::vector<std::string> kNames = {"adamw", "adam_atan2", "sgd"};
  return kNames;
}

OptimiserKind parse_optimiser(const std::string& name) {
  const std::vector<std::string>& names = optimiser_names();
  const auto at = std::ranges::find(names, name);
  SV_CHECK(at != names.end(), "no optimiser '", name, "'", did_you_mean(name, names));
  return static_cast<OptimiserKind>(at - names.begin());
}

double OptimiserSettings::share_at(int64_t step) const {
  double factor = 1;
  if (step < warmup) {
    factor = static_cast<double>(step + 1) / warmup;
  }
  const double falling = decay * steps;
  if (falling > 0) {
    const double left = (static_cast<double>(steps) - static_cast<double>(step)) / falling;
    factor = std::min(factor, std::max(floor, floor + (1 - floor) * std::min(left, 1.0)));
  }
  return factor;
}

namespace {

void check_device(const Params& params, OptimiserKind kind) {
  if (params.device() == nullptr) {
    return;
  }
  const std::string& name = optimiser_names()[static_cast<size_t>(kind)];
  SV_CHECK(kind == OptimiserKind::adamw,
           "optimiser '",
           name,
           "' has no kernels for a device yet; ",
           device_name(params.device()),
           " trains with 'adamw'");
  for (const Param& p : params) {
    SV_CHECK(!p.sparse_sign,
             "parameter ",
             p.name,
             " is updated by signs, which has no kernels for a device yet; train on the CPU");
  }
}

}  // namespace

Optimiser::Optimiser(Params& params, const OptimiserSettings& settings)
    : params_(params),
      settings_(settings),
      squares_({params.models()}, DType::f64, params.device()),
      seen_squares_({params.models()}, DType::f64) {
  check_device(params, settings.kind);
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
  grads_.clear();
  for (const Param& p : params_) {
    grads_.push_back(p.grad);
  }
  zero_tensor(ctx, squares_);
  ops::grad_squares(ctx, grads_, squares_);
  copy_to_host_later(ctx, seen_squares_, squares_);
}

std::span<const double> Optimiser::grad_norm() {
  for (size_t m = 0; m < grad_norm_.size(); ++m) {
    grad_norm_[m] = std::sqrt(seen_squares_.tensor().as<double>()[m]);
  }
  return grad_norm_;
}

ops::AdamWStep Optimiser::adam_step(int64_t step) const {
  ops::AdamWStep s;
  s.lr = lr_.data();
  s.clip = settings_.clip;
  s.squares = squares_;
  s.beta1 = settings_.beta1;
  s.beta2 = settings_.beta2;
  s.eps = settings_.eps;
  s.step = step + 1;
  s.ema_decay = settings_.ema;
  return s;
}

void Optimiser::list_parameters() {
  adam_.clear();
  descended_.clear();
  signed_.clear();
  for (size_t i = 0; i < moments_.size(); ++i) {
    const Param& p = params_[static_cast<ParamId>(i)];
    if (p.frozen) {
      continue;
    }
    const Moments& m = moments_[i];
    const double decay = p.decay ? settings_.weight_decay : 0;
    if (p.sparse_sign) {
      signed_.push_back({p.value, p.grad, {}, m.average, settings_.embedding_weight_decay});
    } else if (settings_.kind == OptimiserKind::sgd) {
      descended_.push_back({p.value, p.grad, m.first, m.average, decay});
    } else {
      adam_.push_back({p.value, p.grad, m.first, m.second, m.average, decay});
    }
  }
}

void Optimiser::step(const Context& ctx, int64_t step) {
  list_parameters();
  std::fill(lr_.begin(), lr_.end(), settings_.lr_at(step));
  switch (settings_.kind) {
    case OptimiserKind::adamw:
      ops::adamw(ctx, adam_, adam_step(step));
      break;
    case OptimiserKind::adam_atan2:
      ops::adam_atan2(ctx, adam_, adam_step(step));
      break;
    case OptimiserKind::sgd:
      for (size_t m = 0; m < scale_.size() && settings_.clip > 0; ++m) {
        scale_[m] = ops::clip_scale(seen_squares_.tensor().as<double>()[m], settings_.clip);
      }
      ops::sgd(ctx, descended_, {lr_.data(), settings_.beta1, scale_.data(), settings_.ema});
      break;
  }
  if (!signed_.empty()) {
    std::fill(lr_.begin(), lr_.end(), settings_.embedding_lr * settings_.share_at(step));
    ops::sign_sgd(ctx, signed_, {lr_.data(), 0, nullptr, settings_.ema});
  }
}

void Optimiser::swap_average() {
  for (size_t i = 0; settings_.ema > 0 && i < moments_.size(); ++i) {
    std::swap(params_[static_cast<ParamId>(i)].value, moments_[i].average);
  }
}

}  // namespace sv
