// Training on a device against the CPU: a curve in each precision, a resume, a run that changes
// places.
#pragma once
#include <string>
#include <vector>

#include "gpu/runs.h"
#include "models/train_fixture.h"

namespace sv::gpu {

/// `looped` at the shape R1 on prefix parity: d = 64, 2 layers, 16 tokens.
models_test::TrainCase r1_case(int batch);

struct TrainOptions {
  models_test::TrainCase setup = r1_case(16);
  std::vector<uint64_t> seeds = {0, 1};
  int64_t steps = 100;
  int64_t leg = 5;  // steps between two changes of place
  int threads = 1;  // of the CPU
};

/// "train.curve_f32", "_tf32", "_bf16": the largest |loss - loss on the CPU| / loss on the CPU over
/// all steps and seeds; prints how it grows.
void check_curves(Device& device, const TrainOptions& options, Runs& runs);
/// "train.resume": numbers (losses, gradient norms, weights, moments) that differ between a run and
/// its resume from a checkpoint, both on the device. "train.crossing": the deviation of a run that
/// goes from the CPU to the device and back from the CPU's own. Throws (Exit::failed) where a
/// checkpoint changes a bit on its way.
void check_crossings(Device& device, const TrainOptions& options, Runs& runs);

}  // namespace sv::gpu
