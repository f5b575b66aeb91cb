// Runs: the named numbers that a check finds, beside their goals (kernels/gpu_goals.json).
#pragma once
#include <string>
#include <vector>

namespace sv::gpu {

struct Run {
  std::string name, unit, goal;  // goal: ">= 20", "<= 0.001" or empty
  double value = 0;
  bool met = true;  // also where there is no goal
};

class Runs {
 public:
  /// Refuses a name that is not in the list, and a value that is not finite or below 0.
  void add(const std::string& name, double value);
  const std::vector<Run>& all() const { return all_; }
  /// The value of a name, or 0.
  double value(const std::string& name) const;
  bool met() const;
  /// One line for each.
  std::string table() const;

 private:
  std::vector<Run> all_;
};

}  // namespace sv::gpu
