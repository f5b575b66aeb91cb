// Dynamics: how the state moves (step geometry), where it goes (projection to two axes), and
// whether settling has to do with being right. Convergence alone proves little: untrained models
// settle too, so they stand beside every curve.
#pragma once
#include <array>
#include <optional>

#include "interp/evaluate.h"

namespace sv {

/// Per update r, mean over examples; all parts of the state as one vector, positions in use only.
struct StepGeometry {
  Grid residual;  // (M, R) ||h_r - h_(r-1)|| / ||h_r||
  Grid turn;      // (M, R) cosine between this step and the one before; NaN at the first
  Grid radial;    // (M, R) share of the squared step along h_r: motion that a normed readout hides
};

struct ConvergenceResult {
  Evidence evidence;
  std::vector<int> updates;  // 1..R
  StepGeometry trained;
  std::vector<Interval> residual_interval, turn_interval, radial_interval;  // (R) over seeds
  std::optional<StepGeometry> untrained;
};

struct DynamicsOptions {
  int depth = 16;     // periods
  int64_t items = 0;  // examples; 0 = all
  Reasoner* untrained = nullptr;
  RunOptions run;
  Bootstrap bootstrap;
  Provenance trained;
};
ConvergenceResult convergence(Reasoner& model, const Dataset& data, const DynamicsOptions& options);

/// One example of one model, projected to the first two principal axes of the model's own states.
struct Trajectory2d {
  int64_t index = 0;
  uint64_t seed = 0;
  int difficulty = 0;
  bool solved = false;                       // after the last update
  std::vector<int> updates;                  // 0..R
  std::vector<std::array<double, 2>> point;  // one per update
  std::array<double, 2> explained{};         // share of variance of each axis
};

/// `position` -1: all positions as one vector. Examples of one model share one projection.
std::vector<Trajectory2d> trajectories(Reasoner& model,
                                       const Dataset& data,
                                       const std::vector<int64_t>& examples,
                                       int depth,
                                       int position,
                                       int threads);

/// Settled x correct after the last depth of an evaluation, per seed.
struct SettledTable {
  double threshold = 0;  // settled: residual below it
  std::vector<int64_t> settled_right, settled_wrong, moving_right, moving_wrong;  // (M)
};
SettledTable settled_table(const DepthCurves& curves, double threshold);

/// Of an evaluation at consecutive depths: does a solved item stay solved?
struct HoldRates {
  std::vector<int> depths;       // r of P(right at the next depth | right at r)
  Grid hold;                     // (M, depths - 1)
  Grid independent;              // (M, depths - 1) what it would be if depths were independent
  std::vector<double> leave;     // (M) share of items once right that are wrong at the last depth
  std::vector<double> settle;    // (M) mean depth of the first hit, among items hit
  std::vector<int64_t> reached;  // (M) items right at any depth
};
HoldRates hold_rates(const DepthCurves& curves);

}  // namespace sv
