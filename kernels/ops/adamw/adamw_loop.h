// The loop of AdamW and its relatives over parameters on the CPU; a rule updates one element.
#pragma once
#include <span>

#include "kernels/cpu/split.h"
#include "kernels/ops/adamw/adamw.h"
#include "kernels/ops/adamw/adamw_scalars.h"
#include "kernels/ops/arguments.h"
#include "kernels/ops/average.h"

namespace sv::ops::adam {

inline void check(std::span<const AdamWTensors> list, const AdamWStep& s, const char* op) {
  SV_CHECK(s.lr != nullptr && s.step >= 1,
           op,
           " needs a learning rate per model and a step from 1, got step ",
           s.step);
  for (const AdamWTensors& t : list) {
    const Shape& shape = t.param.shape;
    expect_shape(t.grad.shape, shape, "grad");
    expect_shape(t.m.shape, shape, "m");
    expect_shape(t.v.shape, shape, "v");
    if (t.ema) {
      expect_shape(t.ema.shape, shape, "ema");
    }
    const int64_t M = shape[0], first = list[0].param.dim(0);
    SV_CHECK(M == first, "parameters of ", first, " and of ", M, " models in one update");
    if (s.clip > 0) {
      SV_CHECK(s.grad_scale == nullptr, op, " clips by grad_scale or by squares, not by both");
      expect_shape(s.squares.shape, {M}, "squares");
    }
  }
}

template <class T>
AdamWRates<T> rates(const AdamWStep& s, double weight_decay, int m) {
  const double scale = s.clip > 0     ? clip_scale(s.squares.as<double>()[m], s.clip)
                       : s.grad_scale ? s.grad_scale[m]
                                      : 1.0;
  return {static_cast<T>(1 - s.lr[m] * weight_decay),
          static_cast<T>(scale),
          static_cast<T>(s.lr[m] / (1 - adamw_power(s.beta1, s.step)))};
}

template <class Rule, class T>
void update(const AdamWConstants<T>& c,
            const AdamWRates<T>& r,
            int64_t n,
            T* __restrict__ param,
            const T* __restrict__ grad,
            T* __restrict__ m,
            T* __restrict__ v) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    const AdamWElement<T> x = Rule::update(c, r, AdamWElement<T>{param[i], m[i], v[i]}, grad[i]);
    m[i] = x.m;
    v[i] = x.v;
    param[i] = x.param;
  }
}

template <class Rule>
void update_tensor(const Context& ctx, const AdamWTensors& t, const AdamWStep& s) {
  const int64_t size = t.param.dim(0) == 0 ? 0 : t.param.numel() / t.param.dim(0);
  with_float(t.param.dtype, [&]<class T>() {
    T *p = t.param.as<T>(), *first = t.m.as<T>(), *second = t.v.as<T>();
    T* averaged = data_or_null<T>(t.ema);
    const T* g = t.grad.as<T>();
    const auto c = adamw_constants<T>(s);
    cpu::for_each_row_block(
        ctx, ctx.model_count(t.param), size, 1, [=, &s, &t](int m, int64_t begin, int64_t end) {
          const int64_t at = m * size + begin, n = end - begin;
          const auto r = rates<T>(s, t.weight_decay, m);
          update<Rule>(c, r, n, p + at, g + at, first + at, second + at);
          if (averaged) {
            average(c.decay, c.decay_rest, n, p + at, averaged + at);
          }
        });
  });
}

}  // namespace sv::ops::adam
