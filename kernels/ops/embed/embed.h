// Embedding: y[m,b,t,:] = table[m, ids[m,b,t], :].
//
//   dtable[m,v,:] = sum of dy[m,b,t,:] over the (b, t) with ids = v, in ascending order of b T + t
//
// Shapes: ids i32 (1|M, 1|B, T), size 1 = shared; table (M, V, D); y (M, B, T, D). An id outside
// [0, V) throws and names place and value; on a device, which does not wait for the host to look,
// it gives a row of NaN and no gradient. Accumulation: dtable in the dtype of dy, one chain per (m,
// v); on a device, tokens in the same order, in 8 chains of up to 256. Determinism: bits depend on
// the rows of the model alone. Cost: one pass. Reference: cases.h.
#pragma once
#include "kernels/memory/context.h"

namespace sv::ops {

void embed(const Context& ctx, const Tensor& ids, const Tensor& table, const Tensor& y);
void embed_vjp(const Context& ctx, const Tensor& ids, const Tensor& dy, const Grad& dtable);

}  // namespace sv::ops
