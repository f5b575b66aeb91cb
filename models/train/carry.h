// Carry: deep supervision by carried segments (HRM, arXiv 2506.21734; TRM, arXiv 2510.04871). An
// optimiser step is one run over the rows of a batch that starts from the states in which the step
// before left them, as constants. A row that has halted, or has made train.segments runs, takes the
// next step's example and starts anew, alone: the rows of a batch are at different segments.
// States, examples and counts are part of a checkpoint.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "data/dataset.h"
#include "models/groups.h"
#include "models/train/settings.h"
#include "models/unroll.h"

namespace sv {

class Carry {
 public:
  /// Nothing is carried with train.segments = 1. On the CPU only.
  Carry(Reasoner& model, const Dataset& data, const TrainSettings& settings);

  bool on() const { return segments_ > 1; }
  /// Rows that start anew take their example from `drawn`, the batch of this step; `batch` keeps
  /// the others. Batches must not be changed in between.
  void begin(const Batch& drawn, Batch& batch);
  /// The run that row b of model m is about to make, or making, is the last over its example.
  bool last(int m, int b) const { return !on() || row(m, b)[1] + 1 >= segments_; }
  /// Where the rows of model m start; empty without carry.
  Start start(int m, Rows rows) const;
  /// Keeps the last states of a run of rows of model m, and says which of them start anew. `last`
  /// is the run's last readout. Called from the thread of the rows.
  void keep(const Context& ctx,
            int m,
            Rows rows,
            const Trajectory& run,
            const Readout& last,
            uint64_t step);

  /// What a checkpoint holds, by name; none without carry.
  std::vector<std::pair<std::string, Tensor>> tensors() const;
  /// Rebuilds what the tensors stand for after they have been read.
  void restore(Batch& batch);

 private:
  size_t cell(int m, int b) const { return static_cast<size_t>(m * batch_ + b); }
  int32_t* row(int m, int b) const { return rows_.tensor().as<int32_t>() + 3 * cell(m, b); }

  Reasoner& model_;
  const Dataset& data_;
  int segments_;
  int batch_;
  double explore_;
  std::vector<Buffer> parts_;   // (M,B,...) states
  Buffer rows_;                 // i32 (M,B,3): example, segments made, 1 if the next is its first
  std::vector<uint8_t> fresh_;  // (M,B) that last number, as unroll takes it
};

}  // namespace sv
