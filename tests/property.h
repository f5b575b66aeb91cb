// RapidCheck with a fixed seed, so that a run of the tests repeats; RC_PARAMS="seed=..." tries
// another.
#pragma once
#include <rapidcheck/gtest.h>

#include <cstdlib>

namespace sv {

// RapidCheck reads the variable at its first property, after this is initialised.
inline const int property_seed_is_set = setenv("RC_PARAMS", "seed=20260101", /*overwrite=*/0);

}  // namespace sv
