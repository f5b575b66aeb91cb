// The other three independent strategies of unroll: Halt (when a row stops), Gradient (what is
// differentiated) and SaveAt (what is kept). Plain data; Depth is in depth.h.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace sv {

/// When a row stops before its depth is used up. Checked at the end of every period from
/// `min_depth` periods on. A halted row keeps its state bit for bit; halted rows are left out of
/// the computation.
struct Halt {
  enum class Kind : uint8_t {
    none,
    change,      // ||h_r - h_{r-1}|| / ||h_r|| < threshold, of the part written last
    divergence,  // KL(y_r || y_{r-1}) < threshold, mean over positions in use
    entropy,     // |H(y_r) - H(y_{r-1})| < threshold, mean over positions in use (Huginn's rule)
    learned,     // halt_logit > threshold
  };
  Kind kind = Kind::none;
  double threshold = 0;
  int min_depth = 1;  // periods

  bool needs_readout() const { return kind == Kind::divergence || kind == Kind::entropy; }
};

/// Which updates carry gradient. Counts updates r from the end of each model's own depth.
struct Gradient {
  enum class Kind : uint8_t {
    none,
    full,
    last_k,      // the last `k` updates; the state before them is a constant
    one_step,    // the last update of every part (HRM's scheme; last_k 1 for one-part models)
    round,       // the last round, which are the updates of one outermost index (TRM), and `k` more
    implicit,    // of the fixed point: the last period, and `k` iterations for what came before it
    checkpoint,  // full, but only every k-th state is kept and the segments are recomputed
  };
  Kind kind = Kind::none;
  int k = 1;
};

/// What a run keeps.
struct SaveAt {
  enum class Readouts : uint8_t { none, last, every, list };
  Readouts readouts = Readouts::last;
  std::vector<int> readout_list;  // updates r, ascending, for Readouts::list
  std::vector<int> states;        // updates r (0 = init) whose state is copied into the trajectory
  bool residual = false;          // ||h_r - h_{r-1}|| / ||h_r|| per row and update
};

}  // namespace sv
