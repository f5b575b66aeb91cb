// Pairs of runs for patching: an example and its counterfactual neighbour (Task::counterfactual).
#pragma once
#include <vector>

#include "data/dataset.h"

namespace sv {

enum class Direction : uint8_t {
  noising,    // the base run is the example's, the donor its neighbour's
  denoising,  // the other way round: does the example's own state restore its answer?
};

struct PatchPairs {
  std::vector<Example> base, donor;
  std::vector<int64_t> index;  // of the example in the data set
};

/// The first `count` examples that have a neighbour. A task without neighbours throws.
PatchPairs make_pairs(const Dataset& data, int count, uint64_t key, Direction direction);

}  // namespace sv
