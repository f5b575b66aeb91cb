// Linear probe: is a named truth a linear function of the state after r updates? Ridge regression
// to one-hot classes in closed form, fitted on some held-out examples and scored on others, with
// its controls beside it.
//
// Decodable is not used: a probe says what could be read, patching (interp/patching) what is read.
#pragma once
#include "interp/probe/labels.h"
#include "interp/record.h"

namespace sv {

struct ProbeOptions {
  std::string site = "loop.*.state_out";
  std::vector<int> updates;         // ascending r
  std::vector<std::string> truths;  // names or groups; "answer"; empty: all of the task
  std::vector<int> steps;           // of the truths, from 0; empty: all
  std::vector<int> positions;       // pooled into one probe; empty: all
  int64_t train_items = 700;        // the first examples of the data set
  int64_t test_items = 300;         // those behind them
  double strength = 1e-3;           // ridge penalty, in units of rows * mean variance
  bool controls = true;             // shuffled labels, control task, input only
  std::vector<int> pooled;          // places in the pack that make means and intervals; empty: all
  Reasoner* untrained = nullptr;    // a pack of the same architecture at its initialisation
  uint64_t key = 0;                 // of the controls
  RunOptions run;
  Bootstrap bootstrap;
  Provenance trained;
};

/// One truth at one step; a group of binary truths is averaged.
struct ProbeResult {
  Evidence evidence;
  std::string truth, help, site;
  int step = 1;  // counted from 1
  int classes = 2;
  std::vector<int> updates;
  Grid accuracy;                   // (M, U) on held-out examples
  std::vector<Interval> interval;  // (U) over seeds
  double majority = 0;             // the most frequent training class, on the held-out examples
  Grid shuffled;                   // (M, U) labels permuted within (position, step)
  Grid control_task;               // (M, U) random class per (position, token)
  Grid selectivity;                // (M, U) accuracy - control_task
  Grid above_shuffled;             // (M, U) accuracy - shuffled
  Grid untrained;                  // (M', U); empty without such a pack
  std::vector<double>
      input_only;              // (M) the same probe on the encoded input; empty without controls
  int64_t probe_examples = 0;  // examples the probe was fitted on
  int64_t train_labels = 0, test_labels = 0;  // labelled positions per truth
  Grid by_position;                           // (U, T) accuracy, mean over seeds; NaN: no labels
  Grid by_position_above_shuffled;            // (U, T)
};

/// All truths asked for, in the task's order, then by step.
std::vector<ProbeResult> linear_probe(Reasoner& model,
                                      const Dataset& data,
                                      const ProbeOptions& options);

}  // namespace sv
