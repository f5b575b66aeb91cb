#include "kernels/autograd/tape.h"

#include <algorithm>

#include "kernels/memory/copy.h"
#include "kernels/ops/elementwise/elementwise.h"

namespace sv {

void Tape::begin_grad(Var x) {
  x->grad = make_tensor(arena(), x->value.shape, x->value.dtype);
  // A first contribution that covers only some models leaves zeros, not garbage, in the other
  // slots.
  zero_tensor(ctx, x->grad);
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
  Tensor added = seed;
  if (!added) {
    added = host_tensor(ctx, y->grad.shape, y->grad.dtype);
    with_float(added.dtype, [&]<class T>() { std::fill_n(added.as<T>(), added.numel(), T{1}); });
    added = to_device(ctx, added);
  }
  ops::put(ctx, added, {y->grad, GradientMode::accumulate});
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
