// HaltRule: what a halting rule reads of a batch, remembers of its rows, and decides. Used by
// Halting alone.
#pragma once
#include <span>
#include <vector>

#include "models/unroll.h"

namespace sv {

/// A place in the batch of a run and the row that sits in it.
struct Slot {
  int row = -1;     // place in the run's inputs; -1: nobody, or one that has stopped
  int64_t id = 0;   // Inputs::ids of the row
  int length = 0;   // positions in use
  int entered = 0;  // updates the loop had made when the row came in
  int chosen = 0;   // the row's own update whose readout it leaves behind
};

class HaltRule {
 public:
  /// For the batch of a run: `seeds` of its models, `logits` (M, B', T, V) and `score` (M, B') or
  /// (M, B', T), empty without a halting head, are its readouts' shapes.
  HaltRule(const Halt& halt,
           const Context& ctx,
           std::span<const uint64_t> seeds,
           const std::vector<int>* periods,
           const Shape& logits,
           const Shape& score,
           DType dtype);

  /// The row of this slot has just come in.
  void begin(size_t slot);
  /// Slot `to` gets what slot `from` >= `to` of a larger batch remembers.
  void move(size_t from, size_t to);
  /// Reads what is compared, for the whole batch (M, B'); stops() then looks at it.
  void read(Tape& tape, const Readout& y, const Tensor& change);
  /// Whether the row of the slot, of model m, stops after its own update r, the last of `periods`.
  bool stops(size_t slot, size_t m, Slot& s, int r, int periods);
  /// After the last stops(): keeps the logits that later checks compare with or choose.
  void keep(const Context& ctx, const Tensor& logits);
  /// (M, B', T, V) of the check before, or of each row's most confident one; empty unless the rule
  /// needs them. Its rows move with the batch, by ops.
  Tensor& kept_logits() { return kept_; }

 private:
  double mean(size_t slot, const Slot& s) const;
  bool all_positions_stop(size_t slot, size_t m, const Slot& s, int r, bool may_stop);
  bool same_answers(size_t slot, const Slot& s);
  bool is_better(size_t slot, const Slot& s, bool may_stop);
  int wanted(int64_t id) const;

  Halt halt_;
  std::span<const uint64_t> seeds_;
  const std::vector<int>* periods_;
  size_t positions_;             // T
  size_t scores_;                // values remembered of a row: T where each position has a score
  Tensor score_;                 // of this check, in host memory: (M, B') or (M, B', T)
  Tensor go_on_;                 // learned: the scores of going on, if the model has them
  std::vector<uint8_t> seen_;    // by slot: has been checked before
  std::vector<double> value_;    // by slot and halting score: what is remembered of it
  std::vector<int32_t> answer_;  // by slot and position, patience: argmax at the check before
  std::vector<uint8_t> better_;  // by slot, confident: this check is the best so far
  Tensor kept_;
};

}  // namespace sv
