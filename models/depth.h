// Depth: how many schedule periods a model makes. Draws are keyed by the model's seed, so a seed
// draws the same depths alone and in a pack.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace sv {

/// A count that grows with the training step: "4", or "2@0,4@500" (4 from step 500 on).
struct Stages {
  std::vector<std::pair<int, uint64_t>> from = {{1, 0}};  // ascending steps, the first is 0

  /// Throws with the forms on anything else; `what` names the setting.
  static Stages parse(const std::string& text, const std::string& what);
  int at(uint64_t step) const;
  int max() const;
  std::string text() const;
};

struct Depth {
  enum class Kind : uint8_t {
    fixed,    // always `max`
    uniform,  // one of min..max, equally likely
    list,     // one of `choices`, equally likely
    poisson,  // log-normal Poisson around `mean` (Huginn, arXiv 2502.05171: sigma 0.5, +1), cut at
              // `max`
    stages,   // grows with the training step
  };
  Kind kind = Kind::fixed;
  int min = 1;
  int max = 1;
  double mean = 0;
  std::vector<int> choices;
  Stages stages = {};

  static Depth fixed(int cycles) { return {Kind::fixed, cycles, cycles, 0, {}, {}}; }
  /// "4" · "2..4" · "1,2,4" · "poisson:8" (cut at four times the mean) · "2@0,4@500". Throws with
  /// the forms on anything else.
  static Depth parse(const std::string& text);
  /// Periods of the model with this seed at this training step, in [1, max].
  int draw(uint64_t seed, uint64_t step) const;
  std::string text() const;
};

}  // namespace sv
