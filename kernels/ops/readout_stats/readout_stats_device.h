// Host side of argmax, confidence, entropy and kl on a device; shapes were checked by the public
// functions.
#pragma once
#include "kernels/memory/context.h"

namespace sv::ops::device {

void argmax(const Context& ctx, const Tensor& logits, const Tensor& out);
void confidence(const Context& ctx, const Tensor& logits, const Tensor& out);
void entropy(const Context& ctx, const Tensor& logits, const Tensor& out);
void kl(const Context& ctx, const Tensor& logits_p, const Tensor& logits_q, const Tensor& out);

}  // namespace sv::ops::device
