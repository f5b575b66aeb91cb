// Readout lens: what the model itself would answer after every iteration, at every position. Its
// own norm, coda and head are the lens, so nothing is fitted; the null is an untrained model of the
// same architecture. Known failure: an intermediate may be linearly present and never show in the
// readout; probe for those.
#pragma once
#include "interp/run.h"

namespace sv {

struct LensOptions {
  int updates = 1;  // r = 1 .. updates
  RunOptions run;
  Provenance trained;
};

/// The readout of a few examples in full.
struct LensExample {
  int64_t index = 0;                             // in the data set
  int model = 0;                                 // place in the pack
  std::vector<std::vector<int32_t>> answer;      // (updates, T) most probable answer
  std::vector<std::vector<double>> probability;  // (updates, T) its probability
};

/// Averages over examples and asked positions.
struct LensResult {
  Evidence evidence;
  std::vector<int> updates;
  Grid right;        // (M, updates) share of positions whose most probable answer is the target
  Grid probability;  // (M, updates) mean probability of the target
  Grid rank;         // (M, updates) mean rank of the target, 1 = first
  Grid to_final;     // (M, updates) mean KL(last readout || this readout), nats
  std::vector<LensExample> examples;
};

/// Lens over `data`; the examples listed in `shown` are kept in full for model `shown_model`.
LensResult readout_lens(Reasoner& model,
                        const Dataset& data,
                        int64_t items,
                        const std::vector<int64_t>& shown,
                        int shown_model,
                        const LensOptions& options);

}  // namespace sv
