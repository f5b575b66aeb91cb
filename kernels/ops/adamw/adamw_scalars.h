// The scalars of an AdamW update, in double, by the same arithmetic on the host and in kernels.
#pragma once
#include <cmath>
#include <cstdint>

#include "core/host_device.h"

namespace sv::ops {

/// x^n by squaring: the same bits wherever it runs, which std::pow does not promise.
inline double adamw_power(double x, int64_t n) {
  double result = 1;
  for (; n > 0; n /= 2, x *= x) {
    result = n % 2 == 1 ? result * x : result;
  }
  return result;
}

/// What clipping to the norm `clip` multiplies gradients of this squared norm with; 1 where the
/// norm is NaN, so that the NaN reaches the weights and is seen.
SV_HD inline double clip_scale(double squares, double clip) {
  const double norm = std::sqrt(squares);
  return norm > clip ? clip / norm : 1.0;
}

/// Constants of one update, rounded to the dtype.
template <class T>
struct AdamWConstants {
  T beta1, rest1;            // beta1, 1 - beta1
  T beta2, rest2;            // beta2, 1 - beta2
  T root;                    // 1 / sqrt(1 - beta2^step)
  T eps, decay, decay_rest;  // ema_decay, 1 - ema_decay
};
/// `Step` is AdamWStep, which kernels do not know.
template <class T, class Step>
AdamWConstants<T> adamw_constants(const Step& s) {
  return {static_cast<T>(s.beta1),
          static_cast<T>(1 - s.beta1),
          static_cast<T>(s.beta2),
          static_cast<T>(1 - s.beta2),
          static_cast<T>(1 / std::sqrt(1 - adamw_power(s.beta2, s.step))),
          static_cast<T>(s.eps),
          static_cast<T>(s.ema_decay),
          static_cast<T>(1 - s.ema_decay)};
}

/// The scalars of one model and parameter.
template <class T>
struct AdamWRates {
  T keep;        // 1 - lr weight_decay
  T grad_scale;  //
  T rate;        // lr / (1 - beta1^step)
};

/// The state of one element.
template <class T>
struct AdamWElement {
  T param, m, v;
};

/// The element with its moments updated.
template <class T>
SV_HD inline AdamWElement<T> adamw_moments(const AdamWConstants<T>& c,
                                           const AdamWRates<T>& r,
                                           AdamWElement<T> x,
                                           T grad) {
  const T g = r.grad_scale * grad;
  x.m = c.beta1 * x.m + c.rest1 * g;
  x.v = c.beta2 * x.v + c.rest2 * (g * g);
  return x;
}

template <class T>
SV_HD inline AdamWElement<T> adamw_update(const AdamWConstants<T>& c,
                                          const AdamWRates<T>& r,
                                          AdamWElement<T> x,
                                          T grad) {
  x = adamw_moments(c, r, x, grad);
  x.param = r.keep * x.param - r.rate * (x.m / (std::sqrt(x.v) * c.root + c.eps));
  return x;
}

}  // namespace sv::ops
