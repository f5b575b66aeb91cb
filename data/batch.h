// Batch: host arrays of examples, with the model axis in front when the models read different data.
#pragma once
#include <cstdint>
#include <vector>

namespace sv {

struct Batch {
  int models = 1;                   // M, or 1 when all models of the pack read the same examples
  int size = 0;                     // B
  int positions = 0;                // T
  int target_steps = 1;             // S
  std::vector<int32_t> tokens;      // (models, B, T)
  std::vector<int32_t> targets;     // (models, B, S, T); -1 = ignored
  std::vector<int32_t> lengths;     // (models, B) positions in use
  std::vector<int32_t> difficulty;  // (models, B)
  std::vector<int32_t> roles;       // (models, B, T), Example::roles; empty: no written solutions
  std::vector<int64_t> index;       // (models, B) index of the example in its data set

  /// Targets that hold after loop r >= 1: the last step is kept beyond S. Pointer to (T) of example
  /// b.
  const int32_t* target(int m, int b, int r) const {
    const int s = r < 1 ? 0 : (r > target_steps ? target_steps : r) - 1;
    return targets.data() + ((static_cast<int64_t>(m) * size + b) * target_steps + s) * positions;
  }
};

}  // namespace sv
