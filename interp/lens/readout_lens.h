// Readout lens: what the model's own readout says after every update, at every position. No
// parameters are fitted; a value that the readout does not show may still be there (interp/probe).
#pragma once
#include <optional>

#include "interp/run.h"

namespace sv {

/// One example of one model, ready to be drawn.
struct LensExample {
  int64_t index = 0;  // in the data set
  uint64_t seed = 0;
  int difficulty = 0;
  std::vector<std::string> tokens;                // (T) "" behind the example's length
  std::vector<std::string> targets;               // (T) "" where nothing is asked
  std::vector<std::vector<std::string>> readout;  // (R, T) most likely answer
  Grid prob;                                      // (R, T) its probability
  Grid target_prob;                               // (R, T) of the right answer; NaN: not asked
  Grid target_rank;                               // (R, T) from 1; NaN: not asked
  Grid correct;                                   // (R, T) 1 or 0; NaN: not asked
};

/// Means over the positions that are asked.
struct LensMeans {
  Grid accuracy;     // (M, R)
  Grid target_prob;  // (M, R)
  Grid target_rank;  // (M, R)
  Grid kl_to_final;  // (M, R) KL(readout after the last update || readout after r)
};

struct LensResult {
  Evidence evidence;
  std::vector<int> depths;   // periods
  std::vector<int> updates;  // r
  LensMeans means;
  std::vector<Interval> accuracy_interval, target_prob_interval, kl_interval;  // (R) over seeds
  Grid position_accuracy,
      position_target_prob;            // (R, T) mean over seeds and examples; NaN: unasked
  std::optional<LensMeans> untrained;  // the same of an untrained pack: the null
  std::vector<LensExample> examples;
};

struct LensOptions {
  std::vector<int> depths;          // periods, ascending
  int64_t items = 0;                // examples averaged; 0 = all
  std::vector<int64_t> examples;    // indices kept one by one
  std::vector<int> example_models;  // places in the pack; empty: all
  std::vector<int> pooled;          // places in the pack that make means over seeds; empty: all
  Reasoner* untrained = nullptr;
  RunOptions run;
  Bootstrap bootstrap;
  Provenance trained;
};
LensResult readout_lens(Reasoner& model, const Dataset& data, const LensOptions& options);

}  // namespace sv
