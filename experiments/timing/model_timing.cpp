#include "experiments/timing/model_timing.h"

#include <algorithm>
#include <numeric>

#include "core/rng.h"
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

HaltTiming::HaltTiming(const Shape& shape, int sequences, int iterations, int threads)
    : shape_(shape),
      sequences_(sequences),
      iterations_(iterations),
      threads_(threads),
      model_(model_of(shape, 1)),
      data_(task_of(shape), Split::test, 0, sequences, false) {
  for (int i = 0; i < sequences; ++i) {
    periods_.push_back(1 + i % iterations);
  }
  RngCursor(Rng(0, stream_of("bench.halting"))).shuffle(periods_);
}

double HaltTiming::share() const {
  const double sum = std::accumulate(periods_.begin(), periods_.end(), 0.0);
  return sum / sequences_ / *std::max_element(periods_.begin(), periods_.end());
}

Plan HaltTiming::plan() const {
  Plan plan;
  plan.depth = Depth::fixed(iterations_);
  plan.halt = {Halt::Kind::oracle};
  plan.periods = &periods_;
  return plan;
}

void HaltTiming::all() {
  const RunOptions options{.batch = kLoopBatch, .threads = threads_};
  for_each_group(*model_, data_, sequences_, options, false, [&](const GroupRun& g) {
    Plan all;
    all.depth = Depth::fixed(iterations_);
    Trajectory out;
    g.unroll(*model_, all, out);
  });
}

void HaltTiming::queue() {
  const RunOptions options{.batch = kLoopBatch, .threads = threads_};
  run_to_halt(*model_, data_, sequences_, options, plan(), [](const Context&, const Exits&) {});
}

void HaltTiming::in_step() {
  const RunOptions options{.batch = kLoopBatch, .threads = threads_};
  for_each_group(*model_, data_, sequences_, options, false, [&](const GroupRun& g) {
    Plan own = plan();
    Trajectory out;
    g.unroll(*model_, own, out);
  });
}

}  // namespace sv::bench
