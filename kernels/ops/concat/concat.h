// Concatenation along the last axis: y = [a | b]; the VJP splits dy.
//
// Shapes: a (M, ..., A), b (M, ..., C), y (M, ..., A + C), leading axes equal. Accumulation: none
// (a copy). Determinism: exact. Cost: one pass, 2 reads-or-writes per element. Reference: cases.h.
#pragma once
#include "kernels/memory/context.h"

namespace sv::ops {

void concat(const Context& ctx, const Tensor& a, const Tensor& b, const Tensor& y);
void concat_vjp(const Context& ctx, const Tensor& dy, const Grad& da, const Grad& db);

}  // namespace sv::ops
