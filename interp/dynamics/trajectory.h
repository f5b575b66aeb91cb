// Dynamics of the state: geometry of the steps (M-1), settled against correct (M-2), hold and leave
// rates (M-9), and trajectories in the plane of the first two principal components of each model's
// own states. Known failure: trained and untrained models both converge; convergence is not
// correctness, hence the 2 x 2 table.
#pragma once
#include <array>

#include "interp/run.h"

namespace sv {

struct DynamicsOptions {
  int updates = 8;              // r = 1 .. updates
  int64_t items = 256;          // the first examples of the data set
  int trajectories = 8;         // examples drawn in the plane, the first ones
  double settled_below = 0.01;  // relative change of the last update
  RunOptions run;
  Provenance trained;
};

struct Path {
  int64_t index = 0;  // of the example
  int model = 0;
  bool solved = false;                        // every answer right after the last update
  std::vector<std::array<double, 2>> points;  // (updates + 1), h_0 first
};

struct DynamicsResult {
  Evidence evidence;
  std::vector<int> updates;
  Grid residual;  // (M, updates) mean of ||h_r - h_{r-1}|| / ||h_r||
  Grid turn;      // (M, updates) mean angle between consecutive steps, radians; NaN at r = 1
  Grid hold;  // (M, updates) P(solved after r + 1 | solved after r); NaN where nothing is solved
  /// (M, 4): settled and solved, settled and wrong, moving and solved, moving and wrong; shares of
  /// the items.
  Grid settled_table;
  std::vector<Path> paths;
  Grid explained;  // (M, 2) share of the variance on each axis
};

DynamicsResult dynamics(Reasoner& model, const Dataset& data, const DynamicsOptions& options);

}  // namespace sv
