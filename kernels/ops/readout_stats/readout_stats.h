// What halting rules read from a readout: its most likely class and that class's probability, its
// entropy, its divergence from another readout.
//
//   p = softmax(logits)                     argmax: the first of the largest logits
//   confidence = max_v p_v                  entropy = -sum_v p_v log p_v
//   kl = sum_v p_v (log p_v - log q_v), never below 0 by rounding
//
// Shapes: logits (M, B, T, V), 1 <= V <= 4096; out (M, B, T), i32 for argmax, else the dtype of the
// logits. Accumulation: in the dtype, in a pattern of V alone. Determinism: bits depend on the row
// alone. Cost: one pass, one exponential per logit. No VJP: these are statistics. Reference:
// cases.h.
#pragma once
#include "kernels/memory/context.h"

namespace sv::ops {

void argmax(const Context& ctx, const Tensor& logits, const Tensor& out);
void confidence(const Context& ctx, const Tensor& logits, const Tensor& out);
void entropy(const Context& ctx, const Tensor& logits, const Tensor& out);
void kl(const Context& ctx, const Tensor& logits_p, const Tensor& logits_q, const Tensor& out);

}  // namespace sv::ops
