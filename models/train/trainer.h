// Trainer: one step of a pack: draw, unroll, loss (M), backward, clip per model, optimiser.
// The batch of a model goes through loop and backward in groups of a few sequences, one thread each
// (groups.h). On a device the whole pack goes through with its whole batch in one go, which is what
// fills a GPU: there a model's gradient is one sum over its batch, on the CPU lane after lane, so
// that the two agree within rounding and not to the bit. A model whose loss or gradient stops being
// finite is frozen within the step and named; its neighbours go on with the same bits.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "models/groups.h"
#include "models/train/carry.h"
#include "models/train/objective.h"
#include "models/train/optimiser.h"
#include "models/train/settings.h"
#include "models/train/watchdog.h"
#include "models/unroll.h"

namespace sv {

/// Why a model of the pack was stopped.
struct Frozen {
  int model = 0;  // place in the pack
  uint64_t seed = 0;
  int64_t step = 0;
  std::string what;  // "loss is nan: first at loop.2.block.0.mlp_out (iteration 2, block 0)"
};

/// Of the last step, per model; slots of frozen models keep their last values.
struct StepStats {
  std::vector<double> loss;
  std::vector<double> accuracy;   // share of scored answers that are right, after the last update
  std::vector<double> exact;      // share of examples with every answer right
  std::vector<double> grad_norm;  // before clipping
};

class Trainer {
 public:
  /// `most_lanes` is for benchmarks that ask what fixed lanes cost: another number gives other
  /// bits.
  Trainer(Reasoner& model,
          const Dataset& data,
          const TrainSettings& settings,
          const Depth& depth,
          int threads,
          int most_lanes = kMaxLanes);
  ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  /// Step number `step` (from 0). Returns the models it froze (usually none). Steps must be made in
  /// order, but which steps came before in this process does not matter: all draws are keyed by the
  /// step.
  const std::vector<Frozen>& step(int64_t step);
  const StepStats& stats() const { return stats_; }
  const std::vector<Frozen>& frozen() const { return frozen_; }
  /// Restores what a checkpoint holds besides tensors, after they have been read.
  void restore_frozen(const std::vector<Frozen>& frozen);
  bool all_frozen() const { return frozen_.size() == static_cast<size_t>(model_.models()); }

  Reasoner& model() { return model_; }
  Optimiser& optimiser() { return optimiser_; }
  /// What is carried from step to step, for checkpoints.
  std::vector<std::pair<std::string, Tensor>> carried() const { return carry_.tensors(); }
  /// How often the step's memory has asked the system for more: constant in the steady state.
  size_t system_allocations() const;

 private:
  /// What models answered (M, rows, T) after update r, their last one; in host memory.
  struct Answers {
    int r;
    std::span<const int> who;
    Tensor answer;
  };
  /// What a thread works with.
  struct Worker {
    explicit Worker(Device* device) : memory(device) {}
    Workspace memory;
    Plan plan;
    Start start;
    Trajectory trajectory;
    std::vector<AddedLoss> losses;  // of a group; in host memory once they were asked for
    std::vector<Answers> answers;
    OwnRun own;
  };
  /// What one lane of one model adds up to.
  struct LaneSum {
    double loss = 0;
    Score score;
  };
  void run_lane(int m, int lane, const Inputs& inputs, Worker& worker, int threads);
  void run_pack(const Inputs& inputs, Worker& worker);
  void run_group(const Context& ctx, const Inputs& inputs, Rows rows, Worker& worker);
  void ask(Tape& tape, size_t first_loss, bool answers, Rows rows, Worker& worker) const;
  void score(const Context& ctx, Rows rows, const Worker& worker);
  LaneSum& sum_of(int m, int lane) {
    return sums_[static_cast<size_t>(m) * lanes_.size() + static_cast<size_t>(lane)];
  }
  Device* device() const { return model_.params().device(); }
  void add_scores();
  void freeze(int m, int64_t step, std::string what);
  void watch(int64_t step, const Inputs& inputs);
  Context context();
  Context context(Workspace& memory, int threads);

  Reasoner& model_;
  const Dataset& data_;
  TrainSettings settings_;
  std::unique_ptr<Objective> objective_;
  Depth depth_;
  Gradient gradient_;
  Carry carry_;
  Optimiser optimiser_;
  Workspace memory_;
  Precision precision_;
  int threads_;
  std::vector<std::unique_ptr<Worker>> workers_;
  PackedWeights packed_;
  Batch batch_;
  Batch drawn_;  // of this step, when rows carry their state
  std::vector<Rows> lanes_;
  std::vector<LaneSum> sums_;  // (M, lanes)
  StepStats stats_;
  std::vector<double> loss_now_;  // (M)
  std::vector<int> healthy_;      // models still trained, ascending
  std::vector<Frozen> frozen_;
  std::vector<Frozen> fresh_;
  Planted planted_;
};

/// The optimiser part of the training settings.
OptimiserSettings optimiser_settings(const TrainSettings&);

}  // namespace sv
