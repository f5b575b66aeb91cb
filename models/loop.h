// Loop: one run of unroll. Used by unroll alone: loop_plan.cpp says what an update is to do (which
// models make it, whether it carries gradient, who reads it out), unroll.cpp does it.
#pragma once
#include <algorithm>
#include <memory>

#include "kernels/memory/device.h"
#include "models/halting.h"

namespace sv {

/// Model m is in the list; the empty list stands for all.
inline bool listed(std::span<const int> models, int m) {
  return models.empty() || std::find(models.begin(), models.end(), m) != models.end();
}

/// One run of the loop; its members are the run's state.
class Loop {
 public:
  Loop(Reasoner& model, const Inputs& inputs, const Plan& plan, Tape& tape, Trajectory& out)
      : model_(model), in_(inputs), plan_(plan), tape_(tape), out_(out), base_(tape.ctx.models) {}
  void run();

 private:
  void plan_depths();
  void check_queue() const;
  void open_taps();
  State first_state();
  State init_state();
  void keep_fresh(State& h);
  /// Ascending list of the run's models for which the predicate holds; the empty list stands for
  /// all M, so `any` says whether there is one at all.
  template <class F>
  std::span<const int> models_where(F predicate, bool& any);
  void update_active(int r);
  bool read_out_at(int r, int m) const;
  int gradient_reach() const;
  bool gradient_at(int r) const;
  int segment_end(int r) const;
  void step_recorded(int r);
  void end_at_fixed_point(int r);
  void step_plain(int r);
  void step_checkpointed(int r0, int r1);
  void detach_after(int r);
  void keep_state();
  void measure_change(const Tape& tape, int r, const State& after);
  void finish_update(int r, int made);
  void save_state(int r);
  Readout read_out(Tape& tape, int r, std::span<const int> models, bool logits = true);
  void note(std::vector<int>& where, int r, std::span<const int> who) const;
  /// Models of this run.
  int models() const { return plan_.members.count > 0 ? plan_.members.count : model_.models(); }
  Pass pass(Tape& tape, Phase phase, int r) const {
    return {tape,
            model_.params(),
            taps_,
            phase,
            r,
            plan_.members,
            plan_.packed,
            &out_.blocks,
            plan_.step,
            halting_ ? halting_->entered() : std::span<const int>{},
            plan_.cache};
  }
  int first_r() const { return plan_.start != nullptr ? plan_.start->r : 0; }
  int parts() const { return static_cast<int>(model_.schedule().parts.size()); }
  int depth_of(int m) const { return out_.depth[static_cast<size_t>(m)]; }

  Reasoner& model_;
  Inputs in_;  // compacted by Halting
  const Plan& plan_;
  Tape& tape_;
  Trajectory& out_;
  std::span<const int> base_;    // models of the run; empty = all
  std::span<const int> active_;  // models that make the current update
  bool active_stale_ = true;
  TapSession* taps_ = nullptr;
  std::unique_ptr<Halting> halting_;
  int last_r_ = 0;
  State h_;
  State before_last_;           // implicit gradient: the state before the last period
  bool kept_ = false;           // h_ lives at the bottom of the arena
  Tensor change_MB_;            // of the current update, when somebody wants it
  std::vector<int> read_outs_;  // (R + 1, M), with taps only: readouts made
  std::vector<int> halts_;      // (R + 1, M), with taps only: halting scores made
};

template <class F>
std::span<const int> Loop::models_where(F predicate, bool& any) {
  int* list = tape_.host().alloc_n<int>(static_cast<size_t>(models()));
  size_t count = 0;
  for (int m = 0; m < models(); ++m) {
    if (listed(base_, m) && predicate(m)) {
      list[count++] = m;
    }
  }
  any = count > 0;
  return count == static_cast<size_t>(models()) ? std::span<const int>{}
                                                : std::span<const int>{list, count};
}

}  // namespace sv
