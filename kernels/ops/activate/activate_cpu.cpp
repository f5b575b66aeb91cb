#include "kernels/ops/activate/activate.h"

#include "kernels/cpu/write.h"
#include "kernels/ops/activate/activate_device.h"
#include "kernels/ops/arguments.h"

namespace sv::ops {

namespace {

template <class F>
void with_activation(Activation kind, F&& f) {
  switch (kind) {
    case Activation::relu:
      return f(Relu{});
    case Activation::gelu:
      return f(Gelu{});
    case Activation::silu:
      return f(Silu{});
    case Activation::tanh:
      return f(Tanh{});
    case Activation::sigmoid:
      return f(Sigmoid{});
    case Activation::softplus:
      return f(Softplus{});
    case Activation::exp:
      return f(Exp{});
    case Activation::log:
      return f(Log{});
    case Activation::relu_squared:
      return f(ReluSquared{});
    case Activation::step:
      return f(Step{});
  }
  fail("no activation number ", static_cast<int>(kind));
}

}  // namespace

void activate(const Context& ctx, Activation kind, const Tensor& x, const Tensor& y) {
  expect_shape(y.shape, x.shape, "y");
  if (ctx.device) {
    device::activate(ctx, kind, x, y);
    return;
  }
  const int64_t size = x.dim(0) == 0 ? 0 : x.numel() / x.dim(0);
  with_float(x.dtype, [&]<class T>() {
    with_activation(kind, [&](auto function) {
      const T* from = x.as<T>();
      T* to = y.as<T>();
      cpu::for_each_row_block(
          ctx, ctx.model_count(x), size, 1, [=](int m, int64_t begin, int64_t end) {
            const T* in = from + m * size + begin;
            cpu::write_row(to + m * size + begin, end - begin, false, [=](int64_t i) {
              return function.value(in[i]);
            });
          });
    });
  });
}

void activate_vjp(
    const Context& ctx, Activation kind, const Tensor& x, const Tensor& dy, const Grad& dx) {
  expect_shape(dy.shape, x.shape, "dy");
  expect_grad(dx, x.shape, "dx");
  if (!dx.wanted()) {
    return;
  }
  if (ctx.device) {
    device::activate_vjp(ctx, kind, x, dy, dx);
    return;
  }
  const int64_t size = x.dim(0) == 0 ? 0 : x.numel() / x.dim(0);
  with_float(x.dtype, [&]<class T>() {
    with_activation(kind, [&](auto function) {
      const T *from = x.as<T>(), *grad = dy.as<T>();
      T* to = dx.t.as<T>();
      const bool adds = dx.adds();
      cpu::for_each_row_block(
          ctx, ctx.model_count(x), size, 1, [=](int m, int64_t begin, int64_t end) {
            const T *in = from + m * size + begin, *d = grad + m * size + begin;
            cpu::write_row(to + m * size + begin, end - begin, adds, [=](int64_t i) {
              return d[i] * function.derivative(in[i]);
            });
          });
    });
  });
}

}  // namespace sv::ops
