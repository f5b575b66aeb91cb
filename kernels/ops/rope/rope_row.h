// Rotary angles and one rotation on the CPU, shared by the op and by the fused block.
#pragma once
#include <vector>

#include "kernels/math/point.h"

namespace sv::cpu {

/// cos and sin of place first + t and pair i at [t * pairs + i]. Each thread keeps the last one:
/// the loop asks for the same angles at every update, and they cost more than the rotation.
template <class T>
struct RopeTable {
  int64_t first = 0, positions = 0, pairs = 0;
  double base = 0;
  std::vector<T> cosine, sine;

  void fill(int64_t begin, int64_t count, int64_t width, double b) {
    if (first == begin && positions == count && pairs == width && base == b) {
      return;
    }
    first = begin, positions = count, pairs = width, base = b;
    cosine.resize(static_cast<size_t>(count * width));
    sine.resize(cosine.size());
    const double log_base = point::log_poly(b);
    for (int64_t i = 0; i < width; ++i) {
      const double frequency =
          point::exp_poly(-log_base * static_cast<double>(i) / static_cast<double>(width));
      for (int64_t t = 0; t < count; ++t) {
        double s = 0, c = 0;
        point::sine_cosine(static_cast<double>(begin + t) * frequency, s, c);
        cosine[static_cast<size_t>(t * width + i)] = static_cast<T>(c);
        sine[static_cast<size_t>(t * width + i)] = static_cast<T>(s);
      }
    }
  }
};

template <class T>
const RopeTable<T>& rope_table(int64_t first, int64_t positions, int64_t pairs, double base) {
  thread_local RopeTable<T> table;
  table.fill(first, positions, pairs, base);
  return table;
}

/// Rotates the pairs of one head of one row; `turn` is 1 or, for the inverse, -1.
template <class T>
inline void rotate(const T* x, const T* cosine, const T* sine, T turn, int64_t pairs, T* y) {
#pragma omp simd
  for (int64_t i = 0; i < pairs; ++i) {
    const T a = x[i], b = x[i + pairs], s = turn * sine[i];
    y[i] = a * cosine[i] - b * s;
    y[i + pairs] = b * cosine[i] + a * s;
  }
}

/// The same where a pair are neighbours.
template <class T>
inline void rotate_interleaved(
    const T* x, const T* cosine, const T* sine, T turn, int64_t pairs, T* y) {
#pragma omp simd
  for (int64_t i = 0; i < pairs; ++i) {
    const T a = x[2 * i], b = x[2 * i + 1], s = turn * sine[i];
    y[2 * i] = a * cosine[i] - b * s;
    y[2 * i + 1] = b * cosine[i] + a * s;
  }
}

}  // namespace sv::cpu
