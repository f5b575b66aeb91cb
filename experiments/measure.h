// Measurements of a finished run: each runs a tool of interp, prints its table, writes <name>.h5
// and its part of findings.json (contract: experiments/report/README.md).
#pragma once
#include <string>
#include <vector>

#include "core/progress.h"
#include "experiments/lock.h"
#include "experiments/spec.h"
#include "interp/run.h"

namespace sv {

/// A finished run, opened for measuring.
struct Measured {
  Measured(const std::string& run_folder,
           int threads,
           bool untrained = false,
           Device* device = nullptr);

  std::string folder;
  FolderLock lock;  // results are read, changed and written: one measurement of a run at a time
  std::string spec_digest;
  Workbench bench;
  std::unique_ptr<Reasoner> model;
  int threads;
  BlockCount blocks;  // of the runs since a part of findings.json was last written

  /// Makes the model anew, with the same weights, for a task of the same symbols and another number
  /// of positions. Throws if a weight has one row per position or coordinate.
  void refit(const TaskSpec& task);
  /// Size of the training set (counted where the settings say "all of the file") and train depth.
  Provenance provenance();
  /// Runs made with these options are counted in `blocks`.
  RunOptions run_options(int batch = 64) { return {batch, threads, &blocks}; }
  /// Periods of the deepest training step.
  int train_max() const { return bench.train_depth().max; }
  /// Same architecture, same seeds, no training: the null of every measurement.
  std::unique_ptr<Reasoner> untrained() const {
    return bench.make_model(DType::f32, model->params().device());
  }
};

/// A named group of the pack: the models of one kind, controls apart.
struct Group {
  std::string name;
  std::vector<int> models;  // places in the pack
  std::vector<uint64_t> seeds;
  bool control = false;  // models without a part of the architecture: no claim rests on them
};
std::vector<Group> groups_of(const Spec& spec);

/// For printed tables: "12.3", or an en dash where there is no value.
std::string number_text(double value, int decimals, const char* unit = "");

struct DepthMeasure {
  std::vector<int> depths;        // periods; empty: the run's depth.test
  Halt halt;                      // none: no halting table
  const Dataset* data = nullptr;  // nullptr: the run's held-out set
  std::string label;              // of other data, in the printed table
  bool untrained = false;
};
/// One line of the printed summary of a group: exact accuracy at a depth with its interval.
struct DepthHeadline {
  std::string group;
  std::vector<uint64_t> seeds;
  std::vector<int> depths;
  std::vector<std::vector<double>> exact;     // (seed, depth)
  std::vector<std::vector<double>> accuracy;  // (seed, depth)
};
std::vector<DepthHeadline> measure_depth(Measured& run, const DepthMeasure& what);

struct WritingMeasure {
  int examples = 64;               // of the held-out set
  int shown = 3;                   // of them, printed in full
  int depth = 0;                   // periods for every position; 0: the deepest of training
  std::string cache = "per_loop";  // CachePolicy
  double temperature = 0;          // 0: the likeliest symbol
};
/// Lets a model write solutions on from the question, position by position. Only for tasks with
/// written solutions and models that can be decoded; others throw.
void measure_writing(Measured& run, const WritingMeasure& what);

struct BreadthMeasure {
  int breadth = 2;                // runs of an example
  int depth = 1;                  // periods
  int window = 3;                 // periods over which the residual is averaged
  const Dataset* data = nullptr;  // nullptr: the run's held-out set
};
/// Prints how good a choice among several runs of an example is, and writes breadth.h5.
void measure_breadth(Measured& run, const BreadthMeasure& what);

void measure_lens(Measured& run, int examples, int depth);

struct ProbeMeasure {
  std::string target;
  std::string site = "loop.*.state_out";
  int examples = 1024;
  int depth = 0;
  double train_share = 0.7;
  double ridge = 1e-3;
};
/// Returns the sentences worth repeating ("marks of round 1 are read best after loop 1: 97.3 %,
/// ...").
std::vector<std::string> measure_probe(Measured& run, const ProbeMeasure& what);

struct PatchMeasure {
  std::vector<std::string> modes = {"at", "window", "clamp"};
  std::string site = "loop.*.state_out";
  int window = 2;
  int pairs = 64;
  int depth = 0;
};
std::vector<std::string> measure_patch(Measured& run, const PatchMeasure& what);

void measure_dynamics(Measured& run, int examples, int trajectories, int depth);

}  // namespace sv
