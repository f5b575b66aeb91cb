// Split: train or test by a hash of the canonical instance, so that the same problem is never in
// both.
#pragma once
#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/task.h"

namespace sv {

/// 64-bit FNV-1a followed by the finaliser of MurmurHash3: every bit depends on every byte.
constexpr uint64_t canonical_hash(std::string_view canonical) {
  uint64_t h = 14695981039346656037ull;
  for (const char ch : canonical) {
    h = (h ^ static_cast<uint8_t>(ch)) * 1099511628211ull;
  }
  h = (h ^ (h >> 33)) * 0xff51afd7ed558ccdull;
  h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53ull;
  return h ^ (h >> 33);
}

/// One instance in eight is a test instance, whatever the seed.
constexpr Split split_of(std::string_view canonical) {
  return canonical_hash(canonical) % 8 == 0 ? Split::test : Split::train;
}

/// For families too small for a proportion to come out: exactly `count` of them are held out, those
/// with the smallest hashes. Returns a flag per entry.
inline std::vector<bool> hold_out(std::span<const std::string> canonical, size_t count) {
  std::vector<size_t> order(canonical.size());
  for (size_t i = 0; i < order.size(); ++i) {
    order[i] = i;
  }
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return canonical_hash(canonical[a]) < canonical_hash(canonical[b]);
  });
  std::vector<bool> held(canonical.size(), false);
  for (size_t i = 0; i < std::min(count, order.size()); ++i) {
    held[order[i]] = true;
  }
  return held;
}

}  // namespace sv
