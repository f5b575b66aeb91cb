// The draw of one row: Gumbel numbers by counter, and which class wins.
#pragma once
#include "core/host_device.h"
#include "core/rng.h"
#include "kernels/math/point.h"

namespace sv::ops {

/// Key of a draw of one model.
struct SampleKey {
  uint32_t low, high;  // of the seed
  uint32_t stream;
  uint64_t step;

  /// Rng(seed, stream, step).bits(4 block + 0 .. 3).
  SV_HD Philox::Counter bits(uint64_t block) const {
    return Philox::block({static_cast<uint32_t>(block),
                          static_cast<uint32_t>(step),
                          static_cast<uint32_t>(step >> 32) ^ static_cast<uint32_t>(block >> 32),
                          stream},
                         {low, high});
  }
};

/// Blocks of four numbers that a row of V takes.
SV_HD inline int64_t sample_blocks(int64_t V) {
  return (V + 3) / 4;
}

/// -log(-log u), u = the upper 23 bits, in the middle of their interval: exact in float.
template <class T>
SV_HD inline T gumbel(uint32_t bits) {
  const T u = (static_cast<T>(bits >> 9) + T(0.5)) * T(0x1.0p-23);
  return -point::log_poly(-point::log_poly(u));
}

/// The best of the classes seen; class 0 while there is none that is a number.
template <class T>
struct Drawn {
  T value = -std::numeric_limits<T>::infinity();
  int index = 0x7fffffff;

  SV_HD void see(T x, int v) {
    const bool better = x > value || (x == value && v < index);
    value = better ? x : value;
    index = better ? v : index;
  }
  SV_HD int result() const { return index == 0x7fffffff ? 0 : index; }
};

}  // namespace sv::ops
