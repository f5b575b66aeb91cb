// Schedule: what one update writes and how updates are nested. r counts the innermost state
// updates, from 1.
#pragma once
#include <array>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "core/check.h"

namespace sv {

inline constexpr int kMaxParts = 4;

/// Every update is addressable by its number r or by nested indices (round=1, inner=2). Data, not
/// code: unroll, taps, reports and kernels read the same one.
struct Schedule {
  std::vector<std::string> parts = {"h"};     // names of the state parts
  std::vector<int> writes = {0};              // part written by update r: writes[(r - 1) % period]
  std::vector<std::string> index = {"loop"};  // names of the nested indices, outermost first
  std::vector<int> inner;                     // sizes of the nested indices behind the first
  int max_updates = 0;                        // 0: unbounded
  bool together = false;  // an update writes all parts, not only that of `writes`, its main one
  int prefix = 0;                             // positions of the parts before those of the tokens
  int block_part = -1;  // the part whose updates pass injection and blocks; -1: all updates do
  /// An update depends on r by more than its place in the period and the draws of Pass::row_r: a
  /// step embedding, a first update unlike the others.
  bool step_signal = false;

  /// Update r + period computes what update r does: rows at different updates may share a batch
  /// (models/queue.h). Not so with weights for every update, or a step signal.
  bool stationary() const { return max_updates == 0 && !step_signal; }
  int period() const { return static_cast<int>(writes.size()); }
  int part_of(int r) const { return writes[static_cast<size_t>((r - 1) % period())]; }
  bool writes_part(int r, int part) const { return together || part_of(r) == part; }
  /// Value of nested index i (counted from 0 except the outermost, which counts from 1) at update
  /// r.
  int index_of(int r, size_t i) const {
    int below = 1;
    for (size_t k = i; k < inner.size(); ++k) {
      below *= inner[k];
    }
    const int flat = (r - 1) / below;
    return i == 0 ? flat + 1 : flat % inner[i - 1];
  }
  /// Updates of one value of the outermost index.
  int round() const { return std::accumulate(inner.begin(), inner.end(), 1, std::multiplies<>()); }
  /// The smallest k such that the last k updates of a period write every part: the reach of a
  /// one-step gradient.
  int one_step() const {
    if (together) {
      return 1;
    }
    for (int k = 1; k <= period(); ++k) {
      std::array<bool, kMaxParts> seen{};
      size_t count = 0;
      for (int i = period() - k; i < period(); ++i) {
        bool& s = seen[static_cast<size_t>(writes[static_cast<size_t>(i)])];
        count += s ? 0 : 1;
        s = true;
      }
      if (count == parts.size()) {
        return k;
      }
    }
    fail("the schedule never writes one of its parts");
  }
};

}  // namespace sv
