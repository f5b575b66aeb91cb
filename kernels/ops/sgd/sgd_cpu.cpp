#include <algorithm>

#include "kernels/cpu/write.h"
#include "kernels/ops/arguments.h"
#include "kernels/ops/average.h"
#include "kernels/ops/sgd/sgd.h"

namespace sv::ops {

namespace {

void check(const Context& ctx, const SgdTensors& t, const SgdStep& s, const char* op) {
  expect_host(ctx, op);
  SV_CHECK(s.lr != nullptr, op, " needs a learning rate per model");
  expect_shape(t.grad.shape, t.param.shape, "grad");
  if (t.ema) {
    expect_shape(t.ema.shape, t.param.shape, "ema");
  }
}

/// -1, 0 or 1; NaN stays NaN.
template <class T>
T sign(T x) {
  return x > T{0} ? T{1} : x < T{0} ? T{-1} : x;
}

/// Calls f(m, at, n) for blocks of whole rows of `width` elements, n elements from `at` on, and
/// then averages them.
template <class T, class F>
void each_block(
    const Context& ctx, const SgdTensors& t, const SgdStep& s, int64_t rows, int64_t width, F&& f) {
  const T* param = t.param.as<T>();
  T* ema = data_or_null<T>(t.ema);
  const T decay = static_cast<T>(s.ema_decay), rest = static_cast<T>(1 - s.ema_decay);
  cpu::for_each_row_block(
      ctx, ctx.model_count(t.param), rows, width, [=](int m, int64_t begin, int64_t end) {
        const int64_t at = (m * rows + begin) * width, n = (end - begin) * width;
        f(m, at, n);
        if (ema) {
          average(decay, rest, n, param + at, ema + at);
        }
      });
}

}  // namespace

void sgd(const Context& ctx, std::span<const SgdTensors> list, const SgdStep& s) {
  for (const SgdTensors& t : list) {
    check(ctx, t, s, "sgd");
    expect_shape(t.velocity.shape, t.param.shape, "velocity");
    const int64_t M = t.param.dim(0), size = M == 0 ? 0 : t.param.numel() / M;
    with_float(t.param.dtype, [&]<class T>() {
      T *param = t.param.as<T>(), *velocity = t.velocity.as<T>();
      const T *grad = t.grad.as<T>(), momentum = static_cast<T>(s.momentum);
      each_block<T>(ctx, t, s, size, 1, [=, &s, &t](int m, int64_t at, int64_t n) {
        const T lr = static_cast<T>(s.lr[m]), keep = static_cast<T>(1 - s.lr[m] * t.weight_decay);
        const T scale = static_cast<T>(s.grad_scale ? s.grad_scale[m] : 1.0);
        T *p = param + at, *v = velocity + at;
        const T* g = grad + at;
        cpu::write_row(v, n, false, [=](int64_t i) { return momentum * v[i] + scale * g[i]; });
        cpu::write_row(p, n, false, [=](int64_t i) { return keep * p[i] - lr * v[i]; });
      });
    });
  }
}

void sign_sgd(const Context& ctx, std::span<const SgdTensors> list, const SgdStep& s) {
  for (const SgdTensors& t : list) {
    check(ctx, t, s, "sign_sgd");
    const int64_t rows = rows_per_model(t.param), width = t.param.dim(-1);
    with_float(t.param.dtype, [&]<class T>() {
      T* param = t.param.as<T>();
      const T* grad = t.grad.as<T>();
      each_block<T>(ctx, t, s, rows, width, [=, &s, &t](int m, int64_t at, int64_t n) {
        const T lr = static_cast<T>(s.lr[m]), keep = static_cast<T>(1 - s.lr[m] * t.weight_decay);
        for (int64_t row = at; row < at + n; row += width) {
          T* p = param + row;
          const T* g = grad + row;
          if (std::any_of(g, g + width, [](T x) { return x != T{0}; })) {
            cpu::write_row(
                p, width, false, [=](int64_t i) { return keep * p[i] - lr * sign(g[i]); });
          }
        }
      });
    });
  }
}

}  // namespace sv::ops
