// Objective: what the readouts of a training run are worth, the supervision policy of a family. The
// loss of one answer is train.loss; an objective weighs answers over updates. One file in
// models/train/objectives and one line in objective.cpp.
#pragma once
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "data/batch.h"
#include "models/groups.h"
#include "models/train/settings.h"
#include "models/unroll.h"

namespace sv {

class Carry;

/// A loss (M), where ops compute, of the models of `who` (empty: all).
struct AddedLoss {
  Tensor loss;
  std::span<const int> who;
};

/// Memory of a thread for runs that an objective makes of its own, kept so that steps allocate
/// nothing.
struct OwnRun {
  Plan plan;
  Start start;
  Trajectory trajectory;
};

/// One unroll of a group of rows, as an objective sees it. Losses are means over all scored answers
/// of a model's whole batch, of which a group contributes its share.
struct Supervised {
  Tape& tape;
  Reasoner& model;
  const Inputs& inputs;
  const Plan& plan;
  const Trajectory& run;
  const Batch& batch;
  const Rows rows;  // of the batch
  const TrainSettings& settings;
  std::vector<AddedLoss>& added;
  const Carry& carry;
  OwnRun& own;

  /// Models of the run.
  int64_t models() const { return static_cast<int64_t>(run.depth.size()); }
  /// Updates that model m makes.
  int depth(int m) const { return run.depth[static_cast<size_t>(m)]; }
  /// Targets after update r, i32 (M,B,T), where ops compute; -1: not scored.
  Tensor targets(int r) const;
  /// One over the number of scored answers of model m's whole batch after update r; 0 if none.
  double per_answer(int m, int r) const;
  /// Loss of every answer of a readout (M,B,T) by train.loss, 0 where none is scored.
  Var answer_loss(const Readout& y) const;
  /// Mean loss of the answers of a readout times share[m]; (M).
  Var mean_loss(const Readout& y, std::span<const double> share) const;
  /// Mean over the rows of the whole batch of the mean loss of a row's answers, times share[m];
  /// (M).
  Var mean_row_loss(const Readout& y, std::span<const double> share) const;
  /// Loss of every row of a readout, scaled so that the sum over the rows of the whole batch is
  /// their mean answer loss; (M,B).
  Var row_loss(const Readout& y) const;
  /// The halting loss of a readout times share[m]: every answer of the row right or not, for a
  /// score per position its own answer; (M).
  Var halting_loss(const Readout& y, std::span<const double> share) const;
  /// Mean penalty of the rows at a readout times train.penalty and share[m]; (M).
  Var penalty(const Readout& y, std::span<const double> share) const;
  /// Binary cross-entropy of scores (M,B) against targets in [0, 1], its mean over the rows of the
  /// whole batch times train.halt_weight and share[m]; (M).
  Var score_loss(Var score, const Tensor& target, std::span<const double> share) const;
  /// The run is the last that row b of these rows makes over its example (train.segments).
  bool last_segment(int m, int b) const;
  /// Adds a loss (M) of the models of `who` (empty: all) to the total, and seeds its gradient.
  void add(Var loss, std::span<const int> who);
  /// The halting loss of scores (M,B,T) for the answers i32 (M,B,T) that were given.
  Var position_halting_loss(const Readout& y,
                            const Tensor& answer,
                            std::span<const double> share) const;
  /// Loss of all answers of a readout, each weighed by weight (M,B,T); (M).
  Var weighed_loss(const Readout& y, const Tensor& weight) const;
};

class Objective {
 public:
  virtual ~Objective() = default;
  /// Which readouts unroll is to keep.
  virtual SaveAt::Readouts readouts() const = 0;
  /// Runs per step, each with its own depth, gradient and loss.
  virtual int runs() const { return 1; }
  /// Changes the plan of run i of the model with this seed at this step, from the settings' own.
  virtual void plan(
      int /*run*/, const Schedule&, uint64_t /*seed*/, uint64_t /*step*/, Plan&) const {}
  /// The plans of the models of a pack differ: on a device, where the pack runs as one, refused.
  virtual bool plans_by_seed() const { return false; }
  /// Adds the losses of run i.
  virtual void supervise(int run, Supervised&) const = 0;
};

struct ObjectiveEntry {
  std::string_view name;
  std::string_view summary;
  std::unique_ptr<Objective> (*make)(const TrainSettings&);
  bool needs_halt_probability = false;  // the sigmoid of the halting score is a probability
};
/// Sorted by name; the values of train.supervision.
std::span<const ObjectiveEntry> objectives();
/// The objective train.supervision, up to the step train.gate_only if there is one; an unknown name
/// throws and names the nearest.
std::unique_ptr<Objective> make_objective(const TrainSettings&);

/// The objective of train.supervision whatever train.gate_only says.
std::unique_ptr<Objective> make_first_objective(const TrainSettings&);
std::unique_ptr<Objective> make_gate(const TrainSettings&);

std::unique_ptr<Objective> make_best_certain(const TrainSettings&);
std::unique_ptr<Objective> make_every(const TrainSettings&);
std::unique_ptr<Objective> make_expected(const TrainSettings&);
std::unique_ptr<Objective> make_last(const TrainSettings&);
std::unique_ptr<Objective> make_progressive(const TrainSettings&);
std::unique_ptr<Objective> make_rows(const TrainSettings&);

}  // namespace sv
