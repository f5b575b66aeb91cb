// The halting head and its decision: a linear score of the mean state over positions, against a
// threshold.
//
//   logit_mb = sum_d w_d (1/T) sum_t h_mbtd + bias       live_mb = live_mb and not logit_mb >
//   threshold
//
// Shapes: h (M, B, T, D); w (M, 1, D); bias (M, 1) or empty; logit (M, B); live i32 (M, B), in
// place: a row that has stopped stays so, and a NaN stops none. Accumulation: in the dtype, the
// mean as in mean_positions (t ascending), the product in a pattern of D alone. Determinism: bits
// depend on the row alone. Cost: one pass over h, one launch on a device. No VJP: training goes
// through mean_positions and matmul. Reference: cases.h.
#pragma once
#include "kernels/memory/context.h"

namespace sv::ops {

void halt(const Context& ctx,
          const Tensor& h,
          const Tensor& w,
          const Tensor& bias,
          double threshold,
          const Tensor& logit,
          const Tensor& live);

}  // namespace sv::ops
