// A categorical draw per row: out = v with probability softmax(logits / temperature)_v.
//
//   out = the first v of the largest logits_v / temperature + g_v,  g_v = -log(-log u_v)
//   u_v = (bits >> 9 + 1/2) 2^-23,  bits = Rng(seed_m, stream, step).bits(4 ceil(V / 4) n + v)
//
// The largest of independent Gumbel numbers needs no sum over classes, so a device draws what the
// CPU draws, to the bit (E. J. Gumbel, 1954; Maddison et al., arXiv:1411.0030). u has 23 bits: a
// class of probability far below 1e-7 is drawn less often than it should be. A NaN logit is never
// drawn; a row of them gives class 0.
//
// Shapes: logits (M, B, T, V); keys i32 (M, 2), low and high word of each model's seed; out i32 (M,
// B, T); n = b T + t. Accumulation: none. Determinism: bits depend on the row, its number n and the
// key. Cost: one pass, ten rounds of Philox per four logits and two logarithms per logit. No VJP.
// Reference: cases.h.
#pragma once
#include "kernels/memory/context.h"

namespace sv::ops {

struct SampleDraw {
  uint32_t stream = 0;
  uint64_t step = 0;
  double temperature = 1;
};

void sample(const Context& ctx,
            const Tensor& logits,
            const Tensor& keys,
            const SampleDraw& draw,
            const Tensor& out);

}  // namespace sv::ops
