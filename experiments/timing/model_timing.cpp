#include "experiments/timing/model_timing.h"

#include "interp/run.h"

namespace sv::bench {

namespace {

constexpr int64_t kTrainExamples = 2000;
constexpr int kLoopBatch = 64;

TrainSettings train_settings(int batch) {
  TrainSettings settings;
  settings.batch = batch;
  return settings;
}

}  // namespace

TrainTiming::TrainTiming(const Shape& shape,
                         int seeds,
                         int batch,
                         int loops,
                         int threads,
                         int most_lanes,
                         Device* device)
    : shape_(shape),
      seeds_(seeds),
      batch_(batch),
      loops_(loops),
      model_(model_of(shape, seeds, device)),
      data_(task_of(shape), Split::train, 0, kTrainExamples, false),
      trainer_(*model_, data_, train_settings(batch), Depth::fixed(loops), threads, most_lanes) {}

double TrainTiming::flop() const {
  return 3.0 * seeds_ * batch_ * shape_.tokens * loops_ * flops(shape_);
}

double TrainTiming::bytes() const {
  return 3.0 * seeds_ * loops_ * iteration_bytes(shape_, batch_);
}

LoopTiming::LoopTiming(const Shape& shape, int seeds, int sequences, int iterations, int threads)
    : shape_(shape),
      seeds_(seeds),
      sequences_(sequences),
      iterations_(iterations),
      threads_(threads),
      model_(model_of(shape, seeds)),
      data_(task_of(shape), Split::test, 0, sequences, false) {}

void LoopTiming::run() {
  const RunOptions options{.batch = kLoopBatch, .threads = threads_};
  for_each_group(*model_, data_, sequences_, options, false, [&](const GroupRun& g) {
    Plan plan;
    plan.depth = Depth::fixed(iterations_);
    Trajectory out;
    g.unroll(*model_, plan, out);
  });
}

double LoopTiming::flop() const {
  return 1.0 * seeds_ * sequences_ * shape_.tokens * iterations_ * flops(shape_);
}

double LoopTiming::bytes() const {
  return 1.0 * seeds_ * iterations_ * iteration_bytes(shape_, sequences_);
}

}  // namespace sv::bench
