// What a class's score is made of before scores are normalised to probabilities.
#pragma once
#include <cstdint>

namespace sv::ops {

enum class LossKind : uint8_t { softmax, stablemax };

}  // namespace sv::ops
