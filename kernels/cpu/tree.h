// Sums over many terms in a fixed tree that depends on their number alone.
#pragma once
#include <cstdint>

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

}  // namespace sv::cpu
