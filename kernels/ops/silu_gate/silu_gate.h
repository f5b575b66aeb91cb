// SwiGLU's gate: y = silu(gate) * up, x = [gate | up] along the last axis, silu(g) = g sigmoid(g).
//
//   dgate = dy up silu'(gate), silu'(g) = s (1 + g (1 - s)), s = sigmoid(g);   dup = dy silu(gate)
//
// Shapes: x (M, ..., 2F), y (M, ..., F). Accumulation: none. Determinism: bits depend on the
// element alone. Cost: one pass, 3 reads-or-writes per element of y forward, 5 backward. Shazeer,
// arXiv:2002.05202.
#pragma once
#include "kernels/memory/context.h"

namespace sv::ops {

void silu_gate(const Context& ctx, const Tensor& x, const Tensor& y);
void silu_gate_vjp(const Context& ctx, const Tensor& x, const Tensor& dy, const Grad& dx);

}  // namespace sv::ops
