// One row of rmsnorm on the CPU, shared by the op and by the fused block.
#pragma once
#include <cmath>

#include "kernels/cpu/write.h"
#include "kernels/math/simd.h"

namespace sv::cpu {

/// y = x / rms(x) * gain of one row of D; `gain` may be null, y may be x. Returns 1 / rms.
template <class T>
inline T rmsnorm_row(const T* x, const T* gain, T eps, int64_t D, T* y) {
  const T mean = simd::dot(x, x, D) / static_cast<T>(D);
  const T inv = T{1} / std::sqrt(mean + eps);
  if (gain) {
    write_row(y, D, false, [=](int64_t i) { return x[i] * inv * gain[i]; });
  } else {
    write_row(y, D, false, [=](int64_t i) { return x[i] * inv; });
  }
  return inv;
}

}  // namespace sv::cpu
