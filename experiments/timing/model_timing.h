// A training step and a run through the loop at a shape of shapes.h, ready to be timed.
#pragma once
#include "data/dataset.h"
#include "experiments/timing/shapes.h"
#include "models/train/trainer.h"
#include "models/unroll.h"

namespace sv::bench {

/// Whole training steps: draw, loop, backward, update. Forward and backward count three times the
/// FLOP and bytes of the forward pass.
class TrainTiming {
 public:
  TrainTiming(const Shape& shape,
              int seeds,
              int batch,
              int loops,
              int threads,
              int most_lanes = kMaxLanes,
              Device* device = nullptr);
  void step() { trainer_.step(step_++); }
  double flop() const;
  double bytes() const;

 private:
  Shape shape_;
  int seeds_, batch_, loops_;
  std::unique_ptr<Reasoner> model_;
  Dataset data_;
  Trainer trainer_;
  int64_t step_ = 0;
};

/// Runs of `sequences` sequences through `iterations` iterations, nothing kept.
class LoopTiming {
 public:
  LoopTiming(const Shape& shape, int seeds, int sequences, int iterations, int threads);
  void run();
  double flop() const;
  double bytes() const;

 private:
  Shape shape_;
  int seeds_, sequences_, iterations_, threads_;
  std::unique_ptr<Reasoner> model_;
  Dataset data_;
};

/// Sequences that stop after 1..iterations iterations each, equally many after each count, in a
/// seeded order: the same runs with and without what halting saves.
class HaltTiming {
 public:
  HaltTiming(const Shape& shape, int sequences, int iterations, int threads);
  /// Every sequence makes all iterations.
  void all();
  /// Each stops at its own; waiting ones take the places of those that stop.
  void queue();
  /// Each stops at its own, in groups that go in step: places fall idle.
  void in_step();
  /// Mean over largest number of iterations: what halting leaves of the work.
  double share() const;

 private:
  Plan plan() const;
  Shape shape_;
  int sequences_, iterations_, threads_;
  std::unique_ptr<Reasoner> model_;
  Dataset data_;
  std::vector<int> periods_;
};

}  // namespace sv::bench
