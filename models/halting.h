// Halting: who sits where in the batch of a run, who has stopped, and leaving stopped rows out of
// the computation or giving their places to rows that wait. Used by unroll alone; no gradient.
#pragma once
#include <memory>
#include <span>
#include <vector>

#include "models/halt_rule.h"
#include "models/moved_rows.h"

namespace sv {

class Halting {
 public:
  /// Gives the run inputs of its own, whose rows can come and go: all of `in`, or the first that
  /// wait in the queue (all_done if there is none).
  Halting(const Plan& plan, Reasoner& model, const Context& ctx, Inputs& in, Trajectory& out);
  /// After encode and init; `h` lives in memory of its own.
  void begin(Pass pass, const Inputs& in, Trajectory& out, const State& h);

  std::span<const uint8_t> live() const { return live_; }    // (M, B), of a batch not compacted
  std::span<const int> entered() const { return entered_; }  // (M, B'), for Pass
  bool done(int m) const { return running_[static_cast<size_t>(m)] == 0; }
  bool all_done() const { return running() == 0; }
  /// Rows of the batch that have not stopped.
  int running() const;
  /// Some row is checked, or has made all its updates, after update r.
  bool checks_at(int r) const;
  /// Such a check needs the readout of every row; else that of the rows that stop will do.
  bool reads_all() const { return !compact_ || plan_.halt.needs_readout(); }
  bool reads_scores() const { return plan_.halt.needs_score(); }
  /// Rows that have stopped get their old state back (only when they stay in the batch).
  void freeze_rows(const Context& ctx, const State& before, State& after) const;
  /// Applies the rule after update r; hands over what stopped rows leave behind; lets waiting rows
  /// in; compacts when a quarter of the batch is idle. Returns true when the set of live models
  /// changed. `y` holds what reads_all and reads_scores ask for; `pass` is of its tape.
  bool decide(Pass pass,
              int r,
              const Readout& y,
              const Tensor& change,
              Inputs& in,
              Trajectory& out,
              State& h);
  /// Hands the final states over.
  void finish(Trajectory& out) const;

 private:
  using Lists = moved::Lists;  // of rows of the inputs, or of places in the batch

  size_t slot_of(int64_t m, int64_t place) const { return static_cast<size_t>(m * rows_ + place); }
  int parts() const { return static_cast<int>(model_.schedule().parts.size()); }
  bool ends(const Slot& s, int m, int r) const;
  bool due(const Slot& s, int r) const;
  bool check_rows(int r);
  Lists places_that(bool run) const;
  Lists next_rows(const Lists& places) const;
  void seat(const Lists& rows, const Lists& places, int r);
  Inputs rows_of(const Context& ctx, const Inputs& in, const Tensor& rows) const;
  Tensor read_leaving(Pass pass, const Inputs& in, Var e, const State& last, const Tensor& from);
  void deliver(Pass pass, const Readout& y, const Inputs& in, Trajectory& out, const State& h);
  void hand_over(
      int r, const Context& ctx, const Tensor& logits, const State& last, Trajectory& out);
  void refill(Pass pass, int r, Inputs& in, Trajectory& out, State& h);
  void compact(const Context& ctx, Inputs& in, Trajectory& out, State& h);

  const Plan& plan_;
  Reasoner& model_;
  Inputs all_;                // of the run, where rows come from
  Tensor lengths_;            // of all rows, in host memory; empty: all positions are in use
  int64_t models_;            // of the run
  int64_t rows_;              // B', places of the batch now
  bool compact_;              // stopped rows leave the batch
  std::vector<Slot> slots_;   // (M, B')
  std::vector<int> entered_;  // (M, B')
  std::vector<int> running_;  // (M) rows in the batch that have not stopped
  std::vector<int> depth_;    // (M) updates of a row that is never stopped
  Lists leaving_;             // places of the rows that stop at this check
  std::vector<uint8_t> live_;
  std::unique_ptr<HaltRule> rule_;
  State final_;  // (M, B, ...)
};

}  // namespace sv
