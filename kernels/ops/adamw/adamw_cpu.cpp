#include "kernels/ops/adamw/adamw.h"

#include "kernels/ops/adamw/adamw_device.h"
#include "kernels/ops/adamw/adamw_loop.h"
#include "kernels/ops/reduce/reduce.h"

namespace sv::ops {

namespace {

struct AdamW {
  template <class T>
  static AdamWElement<T> update(const AdamWConstants<T>& c,
                                const AdamWRates<T>& r,
                                AdamWElement<T> x,
                                T grad) {
    return adamw_update<T>(c, r, x, grad);
  }
};

}  // namespace

void adamw(const Context& ctx, std::span<const AdamWTensors> list, const AdamWStep& s) {
  adam::check(list, s, "adamw");
  if (ctx.device) {
    device::adamw(ctx, list, s);
    return;
  }
  for (const AdamWTensors& t : list) {
    adam::update_tensor<AdamW>(ctx, t, s);
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
