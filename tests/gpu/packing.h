// What a pack of seeds is worth: training throughput of many against that of one.
#pragma once
#include "experiments/timing/shapes.h"
#include "gpu/runs.h"
#include "kernels/memory/device.h"

namespace sv::gpu {

struct PackingOptions {
  bench::Shape shape = bench::shapes()[0];  // R1
  int seeds = 64;
  int loops = bench::kLoops;
  int batches[2] = {16, 64};
  double seconds = 1;  // of one measurement
};

/// "pack.batch_16", "pack.batch_64": seeds * time of a step of one / time of a step of all. Also
/// the times of the first.
void measure_packing(Device& device, const PackingOptions& options, Runs& runs);

}  // namespace sv::gpu
