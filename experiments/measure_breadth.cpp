// Accuracy against the number of runs of an example from which one is chosen.
#include <fmt/format.h>

#include "experiments/findings.h"
#include "interp/breadth.h"

namespace sv {

void measure_breadth(Measured& run, const BreadthMeasure& what) {
  BreadthOptions o;
  for (int breadth = 1; breadth < what.breadth; breadth *= 2) {
    o.breadths.push_back(breadth);
  }
  o.breadths.push_back(what.breadth);
  o.depth = what.depth;
  o.window = what.window;
  o.run = run.run_options();
  o.trained = run.provenance();
  const Dataset& data = what.data != nullptr ? *what.data : run.bench.test_set();
  const BreadthResult b = evaluate_breadth(*run.model, data, o);
  fmt::print(
      "one of several runs at depth {}, chosen without the answer: exact on {} examples ({} "
      "training "
      "examples, trained at depth {})\n{:<24}{:>8}{:>10}   by seed, %\n",
      o.depth,
      b.evidence.items,
      o.trained.train_items,
      o.trained.train_depth,
      "choice",
      "runs",
      "exact");
  const auto print = [&](const char* name, const Grid& grid) {
    const std::vector<double> mean = grid.empty() ? std::vector<double>{} : column_means(grid);
    for (size_t k = 0; k < mean.size(); ++k) {
      fmt::print("{:<24}{:>8}{:>10}  ",
                 k == 0 ? name : "",
                 b.breadths[k],
                 number_text(100 * mean[k], 1, "%"));
      for (const auto& row : grid) {
        fmt::print(" {}", number_text(100 * row[k], 1));
      }
      fmt::print("\n");
    }
  };
  print("a single run (mean)", b.single);
  print("smallest residual", b.residual);
  print("largest halting score", b.score);
  print("most frequent answer", b.vote);
  print("any (upper bound)", b.any);
  H5Writer file = results_file(run, "breadth");
  put_axis(file, "model", run.bench.spec().seeds, "seed of the model");
  put_axis(file, "breadth", b.breadths, "runs of an example from which one is chosen");
  const auto put = [&](const char* name, const Grid& grid, const char* what_it_is) {
    if (!grid.empty()) {
      put_grid(file, name, {"model", "breadth"}, grid, what_it_is);
    }
  };
  put("single", b.single, "share of exact examples, mean over runs");
  put("residual", b.residual, "of the run with the smallest residual");
  put("score", b.score, "of the run with the largest halting score");
  put("vote", b.vote, "of the answer that most runs give");
  put("any", b.any, "some run is right");
  file.publish(run.folder + "/breadth.h5");
}

}  // namespace sv
