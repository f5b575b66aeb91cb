// Many launches in one stream, without waiting in between: calls of random ops at random sizes,
// whose outputs are poisoned before each call and compared after it.
#pragma once
#include <string>

#include "gpu/recorder.h"
#include "gpu/runs.h"

namespace sv::gpu {

struct StressOptions {
  int64_t launches = 10000;
  int calls = 48;     // of different op and size
  int together = 16;  // calls in flight between two looks at their results
  int64_t most = 64;  // of a dimension
  uint64_t seed = 1;
};

/// The first result of each call must be that of the CPU, within the op's tolerance; all later ones
/// have its bits. Returns what is wrong, or nothing; adds "stress.launches" to the runs where all
/// is right.
std::string stress(Recorder& device, const StressOptions& options, Runs& runs);

}  // namespace sv::gpu
