// Breadth: several runs of every example that differ in what is random about the model (random
// initial states, noise), one of which is chosen without looking at the answer, as in Equilibrium
// Reasoners (arXiv 2605.21488) and PTRM (arXiv 2605.19943).
#pragma once
#include "interp/run.h"

namespace sv {

struct BreadthOptions {
  std::vector<int> breadths;  // ascending; runs 0 .. the last of them are made once
  int depth = 1;              // periods
  int window = 3;             // periods at the end over which the residual is averaged
  int64_t items = 0;          // the first so many examples; 0 = all
  RunOptions run;
  Provenance trained;
};

/// Share of examples with every answer right, (M, breadths).
struct BreadthResult {
  Evidence evidence;
  std::vector<int> breadths;
  Grid single;    // mean over the runs
  Grid residual;  // of the run with the smallest relative change of the state
  Grid score;     // of the run with the largest halting score; empty without one
  Grid vote;      // of the answer that most runs give, the earliest of equals
  Grid any;       // some run is right: what the best choice could reach
};

/// Run 0 of an example is the one that evaluate() makes. A model without anything random about it
/// makes equal runs: refused.
BreadthResult evaluate_breadth(Reasoner& model, const Dataset& data, const BreadthOptions& options);

}  // namespace sv
