#include "kernels/autograd/tape.h"

#include <algorithm>

#include "kernels/ops/elementwise/elementwise.h"

namespace sv {

void Tape::begin_grad(Var x) {
  x->grad = make_tensor(arena(), x->value.shape, x->value.dtype);
  // A first contribution that covers only some models leaves zeros, not garbage, in the other
  // slots.
  x->grad.zero();
  x->has_grad = true;
}

Grad Tape::grad_into(Var x) {
  if (!x.needs_grad()) {
    return {};
  }
  if (x->has_grad) {
    return {x->grad, GradientMode::accumulate};
  }
  if (!ctx.models.empty()) {
    begin_grad(x);
    return {x->grad, GradientMode::accumulate};
  }
  x->grad = make_tensor(arena(), x->value.shape, x->value.dtype);
  x->has_grad = true;
  return {x->grad, GradientMode::overwrite};
}

void Tape::pass_grad(Var x, const Tensor& dy) {
  if (!x.needs_grad()) {
    return;
  }
  if (!x->has_grad && ctx.models.empty()) {
    x->grad = dy.reshape(x->value.shape);
    x->has_grad = true;
    return;
  }
  ops::put(ctx, dy.reshape(x->value.shape), grad_into(x));
}

void Tape::seed_grad(Var y, const Tensor& seed) {
  SV_CHECK(y.needs_grad(), "the seeded value carries no gradient");
  if (!y->has_grad) {
    begin_grad(y);
  }
  if (seed) {
    ops::put(ctx, seed, {y->grad, GradientMode::accumulate});
    return;
  }
  with_float(y->value.dtype, [&]<class T>() {
    T* g = y->grad.as<T>();
    const int64_t stride = y->grad.numel() / std::max<int64_t>(y->grad.dim(0), 1);
    for (int i = 0; i < ctx.model_count(y->value); ++i) {
      T* row = g + ctx.model(i) * stride;
      std::for_each(row, row + stride, [](T& v) { v += T{1}; });
    }
  });
}

void Tape::backward() {
  const std::span<const int> models = ctx.models;
  for (Record* r = last_; r != nullptr; r = r->previous) {
    if (r->y->has_grad) {
      ctx.models = r->models;
      r->run(r->state, *this, r->y->grad);
    }
  }
  ctx.models = models;
  last_ = nullptr;
}

}  // namespace sv
