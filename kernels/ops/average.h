// The weight average of the optimisers on the CPU.
#pragma once
#include <cstdint>

namespace sv::ops {

/// ema = decay ema + rest param, rest = 1 - decay.
template <class T>
void average(T decay, T rest, int64_t n, const T* __restrict__ param, T* __restrict__ ema) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    ema[i] = decay * ema[i] + rest * param[i];
  }
}

}  // namespace sv::ops
