// Functions of one row that several ops share: the stable softmax of short rows.
#pragma once
#include "kernels/math/point.h"
#include "kernels/math/simd.h"

namespace sv::row {

/// Longest row of the softmax ops and the number of elements they work on at a time: 16 KiB of f32
/// on the stack.
inline constexpr int64_t kBuffer = 4096;

/// Largest element (the first of equals is as good); a NaN is passed over, the sum that follows
/// finds it.
template <class T>
inline T largest(const T* x, int64_t V) {
  T most = x[0];
  for (int64_t i = 1; i < V; ++i) {
    most = x[i] > most ? x[i] : most;
  }
  return most;
}

/// Sum in a pattern that depends on V alone: in order below one vector of lanes, else in lanes.
template <class T>
inline T sum(const T* x, int64_t V) {
  if (V >= simd::kLanes<T>) {
    return simd::sum(x, V);
  }
  T total = x[0];
  for (int64_t i = 1; i < V; ++i) {
    total += x[i];
  }
  return total;
}

/// For `rows` rows of V (rows * V <= kBuffer): most[r] = max x, e = exp(x - most). The exponentials
/// are taken over the rows as one stretch, because rows of a few tokens would leave most lanes
/// idle.
template <class T>
inline void exp_rows(const T* x, int64_t rows, int64_t V, T* most, T* __restrict__ e) {
  for (int64_t r = 0; r < rows; ++r) {
    most[r] = largest(x + r * V, V);
    for (int64_t i = 0; i < V; ++i) {
      e[r * V + i] = x[r * V + i] - most[r];
    }
  }
#pragma omp simd
  for (int64_t i = 0; i < rows * V; ++i) {
    e[i] = point::exp_poly(e[i]);
  }
}

}  // namespace sv::row
