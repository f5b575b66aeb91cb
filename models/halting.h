// Halting: who has stopped, and leaving stopped rows out of the computation. Used by unroll alone;
// no gradient.
#pragma once
#include <span>
#include <vector>

#include "models/unroll.h"

namespace sv {

class Halting {
 public:
  /// Takes copies of what the loop reads (inputs, e) so that they can be compacted in place; `h`
  /// already lives in memory of its own. `compact` false: stopped rows stay in the batch and keep
  /// their state.
  Halting(const Halt& rule,
          Reasoner& model,
          Pass pass,
          Inputs& in,
          Trajectory& out,
          const State& h,
          bool compact);

  std::span<const uint8_t> live() const { return live_; }  // (M, B) of the original batch
  bool done(int m) const { return live_count_[static_cast<size_t>(m)] == 0; }
  bool all_done() const;
  /// Update r ends a period and may stop rows.
  bool scores_at(int r) const;
  /// Rows that have stopped get their old state back (only when they stay in the batch).
  void freeze_rows(const Context& ctx, const State& before, State& after) const;
  /// Applies the rule after update r; stores what stopped rows leave behind; compacts when a
  /// quarter of the batch is idle. Returns true when the set of live models changed.
  bool decide(Tape& tape,
              int r,
              bool last,
              std::span<const int> active,
              const Readout& y,
              const Tensor& change,
              Inputs& in,
              Trajectory& out,
              State& h);
  /// Hands the final states over.
  void finish(Trajectory& out) const;

 private:
  std::vector<double> scores(
      Tape& tape, const Readout& y, const Tensor& change, int64_t rows, const Inputs& in) const;
  bool stops(double score, double previous) const;
  void leave(int r, size_t slot, int m, Trajectory& out);
  void compact(const Context& ctx, Inputs& in, Trajectory& out, State& h);

  Halt rule_;
  Reasoner& model_;
  int models_;  // of the run
  bool compact_;
  int64_t batch_;
  std::vector<uint8_t> live_;     // (M, B)
  std::vector<int> live_count_;   // (M)
  std::vector<int> original_;     // (M, B') -> b; -1 where the slot only fills up the rectangle
  std::vector<double> previous_;  // (M, B) entropy at the previous check
  Tensor previous_logits_;        // (M, B', T, V) at the previous check
  State final_;                   // (M, B, ...)
  bool seen_ = false;             // a previous readout exists
};

}  // namespace sv
