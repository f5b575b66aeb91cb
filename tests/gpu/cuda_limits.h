// Limits that only a GPU has: graphs, clusters, wgmma (nvcc only; nothing of it runs on the
// executor).
#pragma once
#include "gpu/runs.h"

namespace sv::gpu {

/// Measures on GPU `index` and adds what could be measured; prints why something could not.
void measure_cuda_limits(int index, Runs& runs);

}  // namespace sv::gpu
