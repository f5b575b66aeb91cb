// Activations: y = f(x) element by element; dx = f'(x) dy.
//
// relu (derivative 0 at 0), gelu in its tanh form, silu, tanh, sigmoid, softplus = log(1 + e^x),
// exp (inf above 88.7 in f32), log (of normal positive numbers), relu_squared = relu(x)^2, step = 1
// where x > 0, else 0 (derivative 0); formulas in kernels/math/point.h. Shapes: x, y equal, (M,
// ...). Accumulation: none. Determinism: bits depend on the element alone. Cost: one pass, 2
// reads-or-writes per element forward, 3 backward. GELU: Hendrycks & Gimpel, arXiv:1606.08415;
// relu_squared: So et al., arXiv:2109.08668.
#pragma once
#include "kernels/memory/context.h"
#include "kernels/ops/activate/activation.h"

namespace sv::ops {

void activate(const Context& ctx, Activation kind, const Tensor& x, const Tensor& y);
void activate_vjp(
    const Context& ctx, Activation kind, const Tensor& x, const Tensor& dy, const Grad& dx);

}  // namespace sv::ops
