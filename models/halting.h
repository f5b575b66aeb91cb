// Halting: who sits where in the batch of a run, who has stopped, and leaving stopped rows out of
// the computation. Used by unroll alone; no gradient.
#pragma once
#include <memory>
#include <span>
#include <vector>

#include "models/halt_rule.h"

namespace sv {

class Halting {
 public:
  /// Gives the run inputs of its own, which can be compacted in place. `compact` false: stopped
  /// rows stay in the batch and keep their state, for whoever looks at rows at their places.
  Halting(const Plan& plan, Reasoner& model, const Context& ctx, Inputs& in, Trajectory& out);
  /// After encode and init; `h` lives in memory of its own.
  void begin(Pass pass, const Inputs& in, Trajectory& out, const State& h, bool compact);

  std::span<const uint8_t> live() const { return live_; }  // (M, B), of a batch not compacted
  bool done(int m) const { return running_[static_cast<size_t>(m)] == 0; }
  bool all_done() const;
  /// Some row is checked, or has made all its updates, after update r.
  bool checks_at(int r) const;
  /// Such a check needs the readout of every row; else that of the rows that stop will do.
  bool reads_all() const { return !compact_ || plan_.halt.needs_readout(); }
  bool reads_scores() const { return plan_.halt.needs_score(); }
  /// Rows that have stopped get their old state back (only when they stay in the batch).
  void freeze_rows(const Context& ctx, const State& before, State& after) const;
  /// Applies the rule after update r; stores what stopped rows leave behind; compacts when a
  /// quarter of the batch is idle. Returns true when the set of live models changed. `y` holds what
  /// reads_all and reads_scores ask for; `pass` is of its tape.
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
  /// Slots of each model that are to be moved or have stopped, in order.
  using Lists = std::vector<std::vector<int>>;

  size_t slot_of(int64_t m, int64_t place) const { return static_cast<size_t>(m * rows_ + place); }
  bool ends(const Slot& s, int m, int r) const;
  bool due(const Slot& s, int r) const;
  bool check_rows(int r);
  void deliver(Pass pass, const Readout& y, const Inputs& in, Trajectory& out, const State& h);
  void compact(const Context& ctx, Inputs& in, Trajectory& out, State& h);
  int parts() const { return static_cast<int>(model_.schedule().parts.size()); }

  const Plan& plan_;
  Reasoner& model_;
  int64_t models_;  // of the run
  int64_t rows_;    // B', places of the batch now
  bool compact_ = false;
  std::vector<Slot> slots_;   // (M, B')
  std::vector<int> running_;  // (M) rows in the batch that have not stopped
  std::vector<int> depth_;    // (M) updates of a row that is never stopped
  Lists leaving_;             // slots whose rows stop at this check
  std::vector<uint8_t> live_;
  std::unique_ptr<HaltRule> rule_;
  State final_;  // (M, B, ...)
};

}  // namespace sv
