// The other three independent strategies of unroll: Halt (when a row stops), Gradient (what is
// differentiated) and SaveAt (what is kept). Plain data; Depth is in depth.h.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace sv {

/// When a row stops before its depth is used up. Checked after every `every` periods, from
/// `min_depth` periods on. A halted row keeps its state bit for bit; halted rows are left out of
/// the computation. Means run over the positions in use. A halting score per position, (M,B,T),
/// stops a row once it has stopped all positions in use, each at a check of its own.
struct Halt {
  enum class Kind : uint8_t {
    none,
    change,      // ||h_r - h_{r-1}|| / ||h_r|| < threshold, of the part written last
    divergence,  // mean KL(y || y of the check before) < threshold
    entropy,     // |mean H(y) - that of the check before| < threshold (Huginn, arXiv 2502.05171)
    learned,     // halt_logit > threshold (TRM's Q > 0, arXiv 2510.04871); where the model has a
                 // continue_logit, their difference (HRM, arXiv 2506.21734)
    sample,      // with probability sigmoid(halt_logit) (PonderNet, arXiv 2107.05407), drawn by the
                 // model's seed, the row's Inputs::ids and its own r
    cdf,         // 1 - prod over checks of (1 - sigmoid(halt_logit)) >= threshold (Ouro,
                 // arXiv 2510.25741)
    patience,    // argmax y at all positions in use stayed the same for `threshold` checks (Huginn)
    confident,   // never: of all checks the readout with the largest mean probability of its argmax
                 // is the row's (CTM's most certain tick, arXiv 2505.05522). Saves no work
    oracle,      // after Plan::periods of the row
  };
  Kind kind = Kind::none;
  double threshold = 0;
  int min_depth = 1;  // periods
  int every = 1;      // periods from check to check

  bool needs_readout() const {
    return kind == Kind::divergence || kind == Kind::entropy || kind == Kind::patience ||
           kind == Kind::confident;
  }
  bool needs_score() const {
    return kind == Kind::learned || kind == Kind::sample || kind == Kind::cdf;
  }
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
  bool drop_readouts = false;     // they are made for taps alone: memory stays flat in R
  std::vector<int> states;        // updates r (0 = init) whose state is copied into the trajectory
  bool residual = false;          // ||h_r - h_{r-1}|| / ||h_r|| per row and update
};

}  // namespace sv
