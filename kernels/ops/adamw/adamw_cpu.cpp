#include <cmath>

#include "kernels/cpu/split.h"
#include "kernels/ops/adamw/adamw.h"
#include "kernels/ops/arguments.h"

namespace sv::ops {

namespace {

/// x^n by squaring: the same bits wherever it runs, which std::pow does not promise.
double power(double x, int64_t n) {
  double result = 1;
  for (; n > 0; n /= 2, x *= x) {
    result = n % 2 == 1 ? result * x : result;
  }
  return result;
}

/// The scalars of one model's update, rounded to the dtype.
template <class T>
struct Scalars {
  T keep;                    // 1 - lr weight_decay
  T grad_scale;              //
  T beta1, rest1;            // beta1, 1 - beta1
  T beta2, rest2;            // beta2, 1 - beta2
  T rate;                    // lr / (1 - beta1^step)
  T root;                    // 1 / sqrt(1 - beta2^step)
  T eps, decay, decay_rest;  // ema_decay, 1 - ema_decay
};

template <class T>
Scalars<T> scalars(const AdamWStep& s, int m) {
  const double correction1 = 1 - power(s.beta1, s.step), correction2 = 1 - power(s.beta2, s.step);
  return {static_cast<T>(1 - s.lr[m] * s.weight_decay),
          static_cast<T>(s.grad_scale ? s.grad_scale[m] : 1.0),
          static_cast<T>(s.beta1),
          static_cast<T>(1 - s.beta1),
          static_cast<T>(s.beta2),
          static_cast<T>(1 - s.beta2),
          static_cast<T>(s.lr[m] / correction1),
          static_cast<T>(1 / std::sqrt(correction2)),
          static_cast<T>(s.eps),
          static_cast<T>(s.ema_decay),
          static_cast<T>(1 - s.ema_decay)};
}

template <class T>
void update(const Scalars<T>& s,
            int64_t n,
            T* __restrict__ param,
            const T* __restrict__ grad,
            T* __restrict__ m,
            T* __restrict__ v) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    const T g = s.grad_scale * grad[i];
    m[i] = s.beta1 * m[i] + s.rest1 * g;
    v[i] = s.beta2 * v[i] + s.rest2 * (g * g);
    param[i] = s.keep * param[i] - s.rate * (m[i] / (std::sqrt(v[i]) * s.root + s.eps));
  }
}

template <class T>
void average(const Scalars<T>& s, int64_t n, const T* __restrict__ param, T* __restrict__ ema) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    ema[i] = s.decay * ema[i] + s.decay_rest * param[i];
  }
}

}  // namespace

void adamw(const Context& ctx,
           const Tensor& param,
           const Tensor& grad,
           const Tensor& m,
           const Tensor& v,
           const Tensor& ema,
           const AdamWStep& s) {
  expect_shape(grad.shape, param.shape, "grad");
  expect_shape(m.shape, param.shape, "m");
  expect_shape(v.shape, param.shape, "v");
  if (ema) {
    expect_shape(ema.shape, param.shape, "ema");
  }
  SV_CHECK(s.lr != nullptr && s.step >= 1,
           "adamw needs a learning rate per model and a step from 1, got step ",
           s.step);
  const int64_t size = param.dim(0) == 0 ? 0 : param.numel() / param.dim(0);
  with_float(param.dtype, [&]<class T>() {
    T *p = param.as<T>(), *first = m.as<T>(), *second = v.as<T>(), *averaged = data_or_null<T>(ema);
    const T* g = grad.as<T>();
    cpu::for_each_row_block(
        ctx, ctx.model_count(param), size, 1, [=](int model, int64_t begin, int64_t end) {
          const Scalars<T> scalar = scalars<T>(s, model);
          const int64_t at = model * size + begin;
          update(scalar, end - begin, p + at, g + at, first + at, second + at);
          if (averaged) {
            average(scalar, end - begin, p + at, averaged + at);
          }
        });
  });
}

}  // namespace sv::ops
