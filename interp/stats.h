// Statistics of the model axis: sample size is the number of seeds, never the number of items.
#pragma once
#include <span>

namespace sv {

/// Mean of the values; 0 when there are none.
double mean_of(std::span<const double> values);

}  // namespace sv
