#include <cmath>

#include "kernels/cpu/split.h"
#include "kernels/ops/adamw/adamw.h"
#include "kernels/ops/adamw/adamw_device.h"
#include "kernels/ops/adamw/adamw_scalars.h"
#include "kernels/ops/arguments.h"
#include "kernels/ops/reduce/reduce.h"

namespace sv::ops {

namespace {

void check(const AdamWTensors& t) {
  const Shape& shape = t.param.shape;
  expect_shape(t.grad.shape, shape, "grad");
  expect_shape(t.m.shape, shape, "m");
  expect_shape(t.v.shape, shape, "v");
  if (t.ema) {
    expect_shape(t.ema.shape, shape, "ema");
  }
}

void check(const AdamWStep& s, int64_t M) {
  SV_CHECK(s.lr != nullptr && s.step >= 1,
           "adamw needs a learning rate per model and a step from 1, got step ",
           s.step);
  if (s.clip > 0) {
    SV_CHECK(s.grad_scale == nullptr, "adamw clips by grad_scale or by squares, not by both");
    expect_shape(s.squares.shape, {M}, "squares");
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

template <class T>
void update(const AdamWConstants<T>& c,
            const AdamWRates<T>& r,
            int64_t n,
            T* __restrict__ param,
            const T* __restrict__ grad,
            T* __restrict__ m,
            T* __restrict__ v) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    const AdamWElement<T> x = adamw_update<T>(c, r, {param[i], m[i], v[i]}, grad[i]);
    m[i] = x.m;
    v[i] = x.v;
    param[i] = x.param;
  }
}

template <class T>
void average(const AdamWConstants<T>& c,
             int64_t n,
             const T* __restrict__ param,
             T* __restrict__ ema) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    ema[i] = c.decay * ema[i] + c.decay_rest * param[i];
  }
}

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
          update(c, rates<T>(s, t.weight_decay, m), n, p + at, g + at, first + at, second + at);
          if (averaged) {
            average(c, n, p + at, averaged + at);
          }
        });
  });
}

}  // namespace

void adamw(const Context& ctx, std::span<const AdamWTensors> list, const AdamWStep& s) {
  for (const AdamWTensors& t : list) {
    check(t);
    check(s, t.param.dim(0));
    SV_CHECK(t.param.dim(0) == list[0].param.dim(0),
             "parameters of ",
             list[0].param.dim(0),
             " and of ",
             t.param.dim(0),
             " models in one update");
  }
  if (ctx.device) {
    device::adamw(ctx, list, s);
    return;
  }
  for (const AdamWTensors& t : list) {
    update_tensor(ctx, t, s);
  }
}

void adamw(const Context& ctx,
           const Tensor& param,
           const Tensor& grad,
           const Tensor& m,
           const Tensor& v,
           const Tensor& ema,
           const AdamWStep& s) {
  const AdamWTensors one{param, grad, m, v, ema, s.weight_decay};
  adamw(ctx, {&one, 1}, s);
}

void grad_squares(const Context& ctx, std::span<const Tensor> grads, const Tensor& squares) {
  const int64_t M = squares.dim(0);
  expect_shape(squares.shape, {M}, "squares");
  for (const Tensor& g : grads) {
    SV_CHECK(g.dim(0) == M, "a gradient of ", g.dim(0), " models, squares of ", M);
  }
  if (ctx.device) {
    device::grad_squares(ctx, grads, squares);
    return;
  }
  const ArenaScope scope(*ctx.arena);
  const Tensor one = make_tensor(*ctx.arena, {M}, DType::f64);
  auto* total = squares.as<double>();
  for (int i = 0; i < ctx.model_count(squares); ++i) {
    total[ctx.model(i)] = 0;
  }
  for (const Tensor& g : grads) {
    sum_squares(ctx, g, one);
    for (int i = 0; i < ctx.model_count(squares); ++i) {
      total[ctx.model(i)] += one.as<double>()[ctx.model(i)];
    }
  }
}

}  // namespace sv::ops
