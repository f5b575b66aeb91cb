// Sums over many terms in a fixed tree that depends on their number alone.
#pragma once
#include <algorithm>
#include <cstdint>

#include "kernels/cpu/split.h"

namespace sv::cpu {

/// Sum of term(i), i in [begin, begin + count), in double: leaves of 64 terms in order, then
/// halves, the left one a multiple of 64.
template <class Term>
double tree_sum(int64_t begin, int64_t count, const Term& term) {
  if (count <= 64) {
    double total = 0;
    for (int64_t i = begin; i < begin + count; ++i) {
      total += term(i);
    }
    return total;
  }
  const int64_t left = (count / 2 + 63) / 64 * 64;
  return tree_sum(begin, left, term) + tree_sum(begin + left, count - left, term);
}

/// Sum of term(i), i in [0, count), in double: 16 lanes, then halves. For a few thousand terms.
template <class Term>
double lane_sum(int64_t count, const Term& term) {
  constexpr int64_t kLanes = 16;
  double lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
#pragma omp simd
    for (int64_t l = 0; l < kLanes; ++l) {
      lanes[l] += term(i + l);
    }
  }
  for (int64_t l = 0; i + l < count; ++l) {
    lanes[l] += term(i + l);
  }
  for (int64_t half = kLanes / 2; half >= 1; half /= 2) {
    for (int64_t l = 0; l < half; ++l) {
      lanes[l] += lanes[l + half];
    }
  }
  return lanes[0];
}

/// The same over any length: lane_sum of blocks of kBlock terms, then the tree over blocks.
template <class Term>
double block_sum(int64_t count, const Term& term) {
  return tree_sum(0, (count + kBlock - 1) / kBlock, [&](int64_t block) {
    const int64_t first = block * kBlock;
    return lane_sum(std::min(kBlock, count - first), [&](int64_t i) { return term(first + i); });
  });
}

}  // namespace sv::cpu
