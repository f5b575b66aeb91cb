// One row of layernorm on the CPU, shared by the op and by the fused block.
#pragma once
#include <cmath>

#include "kernels/cpu/write.h"
#include "kernels/math/simd.h"

namespace sv::cpu {

template <class T>
struct RowStats {
  T mean, inv_std;
};

template <class T>
RowStats<T> row_stats(const T* x, int64_t D, T eps) {
  const T mean = simd::sum(x, D) / static_cast<T>(D);
  const T squares = simd::sum_terms<T>(D, [&](int64_t i, int64_t count) {
    const auto v =
        count == simd::kLanes<T> ? simd::load(x + i) : simd::load_partial(x + i, count, mean);
    const auto deviation = v - simd::broadcast(mean);
    return deviation * deviation;
  });
  return {mean, T{1} / std::sqrt(squares / static_cast<T>(D) + eps)};
}

/// y = (x - mean) / std * gain + bias of one row of D; gain and bias may be null, y may be x.
template <class T>
inline RowStats<T> layernorm_row(const T* x, const T* gain, const T* bias, T eps, int64_t D, T* y) {
  const RowStats<T> s = row_stats(x, D, eps);
  const auto xhat = [=](int64_t i) { return (x[i] - s.mean) * s.inv_std; };
  if (gain && bias) {
    write_row(y, D, false, [=](int64_t i) { return xhat(i) * gain[i] + bias[i]; });
  } else if (gain) {
    write_row(y, D, false, [=](int64_t i) { return xhat(i) * gain[i]; });
  } else if (bias) {
    write_row(y, D, false, [=](int64_t i) { return xhat(i) + bias[i]; });
  } else {
    write_row(y, D, false, xhat);
  }
  return s;
}

}  // namespace sv::cpu
