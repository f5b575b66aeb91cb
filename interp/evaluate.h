// Evaluation: accuracy and fixed-point residual against test depth, in one unroll to the largest
// depth, and evaluation under a halting rule. Answers are scored against the target that holds
// after the update that was read out.
#pragma once
#include "interp/run.h"
#include "models/schedule.h"

namespace sv {

/// What happened to every item: the raw material of intervals, tables and dynamics.
struct ItemScores {
  int64_t depths = 0, models = 0, items = 0;
  std::vector<int32_t> right;    // (depths, M, items) right answers
  std::vector<int32_t> answers;  // (depths, items) answers asked
  std::vector<float> residual;   // (depths, M, items) ||h_r - h_(r-1)|| / ||h_r||

  size_t at(int64_t d, int64_t m, int64_t i) const {
    return static_cast<size_t>((d * models + m) * items + i);
  }
  bool asked(int64_t d, int64_t i) const { return answers[static_cast<size_t>(d * items + i)] > 0; }
  bool solved(int64_t d, int64_t m, int64_t i) const {
    return asked(d, i) && right[at(d, m, i)] == answers[static_cast<size_t>(d * items + i)];
  }
};

/// Accuracy of one level of difficulty.
struct DifficultyCurve {
  int difficulty = 0;
  int64_t items = 0;  // examples, or positions for position difficulty
  Grid accuracy;      // (M, depths) answers right
  Grid exact;         // (M, depths) whole examples right; empty for position difficulty
  std::vector<Interval> interval;  // (depths) of accuracy over seeds
};

struct DepthCurves {
  Evidence evidence;
  std::vector<int> depths;         // periods of the schedule, ascending
  std::vector<int> updates;        // r of each depth
  Grid accuracy, exact, residual;  // (M, depths)
  /// Over seeds, then items; the residual's over seeds alone.
  std::vector<Interval> accuracy_interval, exact_interval, residual_interval;
  /// (M, depths): accuracy by bootstrap over items (answers of one item are not independent), exact
  /// by Wilson.
  std::vector<std::vector<Interval>> accuracy_item_interval, exact_item_interval;
  std::vector<DifficultyCurve> by_difficulty;
  std::vector<DifficultyCurve> by_position_difficulty;  // empty when the task names none
  ItemScores scores;
};

struct EvaluateOptions {
  std::vector<int> depths;  // periods
  int64_t items = 0;        // the first so many examples; 0 = all
  RunOptions run;
  Bootstrap bootstrap;
  Provenance trained;
  const Taps* taps = nullptr;  // interventions under which to evaluate
};
/// Interval over seeds, then items, of the listed models (empty: all) at each depth.
std::vector<Interval> score_intervals(const ItemScores& scores,
                                      const std::vector<int>& models,
                                      bool exact,
                                      const Bootstrap& bootstrap = {});
DepthCurves evaluate(Reasoner& model, const Dataset& data, const EvaluateOptions& options);

struct HaltOptions {
  Halt rule;
  int max_depth = 1;  // periods; rows that never stop make these
  int64_t items = 0;
  RunOptions run;
  Bootstrap bootstrap;
  Provenance trained;
};

/// Where the examples of one level of difficulty stop.
struct HaltDifficulty {
  int difficulty = 0;
  int64_t items = 0;
  std::vector<double> mean_updates, exact;  // (M)
};

struct HaltResult {
  Evidence evidence;
  int max_updates = 0;
  std::vector<double> accuracy, exact;  // (M) with each row's own readout (Trajectory::chosen)
  std::vector<double> mean_updates;     // (M) made
  std::vector<double> saved;            // (M) 1 - mean_updates / max_updates
  std::vector<double> never;            // (M) share of rows that made all updates
  double work_saved = 0;                // share of row updates the whole pack left out
  Interval accuracy_interval, exact_interval, saved_interval;  // over seeds
  std::vector<int> updates;                                    // 1..max_updates
  Grid count;  // (M, max_updates) rows whose readout is that of update r
  std::vector<HaltDifficulty> by_difficulty;  // ascending
};
/// Refuses the oracle rule, which stops rows by their difficulty, for a task that grades none.
void expect_graded(const Halt& rule, const TaskSpec& task);
HaltResult evaluate_halting(Reasoner& model, const Dataset& data, const HaltOptions& options);

}  // namespace sv
