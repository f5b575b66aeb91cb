#include "interp/patching/pairs.h"

#include "core/check.h"

namespace sv {

PatchPairs make_pairs(const Dataset& data, int count, uint64_t key, Direction direction) {
  PatchPairs pairs;
  for (int64_t i = 0; i < data.size() && static_cast<int>(pairs.base.size()) < count; ++i) {
    std::optional<Example> neighbour =
        data.task().counterfactual(data[i], key, static_cast<uint64_t>(i));
    if (!neighbour) {
      continue;
    }
    const bool forward = direction == Direction::noising;
    pairs.base.push_back(forward ? data[i] : *neighbour);
    pairs.donor.push_back(forward ? *neighbour : data[i]);
    pairs.index.push_back(i);
  }
  SV_CHECK(pairs.base.size() > 1,
           "patching needs pairs of neighbouring examples; task ",
           data.task().spec().name,
           " names ",
           pairs.base.size());
  return pairs;
}

}  // namespace sv
