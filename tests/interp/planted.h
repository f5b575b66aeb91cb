// A task and reasoners whose inner life is known by construction: what every measurement must find.
#pragma once
#include <memory>
#include <vector>

#include "data/dataset.h"
#include "models/reasoner.h"

namespace sv::interp_test {

/// Four positions, four symbols; every position asks for its own symbol. Truths: "symbol" (4
/// classes), "low" and "high" bit (group "bits"), "coin" (independent of everything seen).
/// A neighbour has one symbol changed.
std::shared_ptr<const Task> planted_task();
Dataset planted_data(int64_t count, Split split = Split::test);

/// h_r = carry * h_(r-1) + inject * e with h_0 = start * e; from update `silent_from` on the state
/// is zero (0: never). The encoded symbol is a one-hot vector, the readout shows it.
struct PlantedSettings {
  double carry = 1;
  double inject = 0;
  double start = 1;
  int silent_from = 0;
};
std::unique_ptr<Reasoner> planted_model(const std::vector<uint64_t>& seeds,
                                        const PlantedSettings& settings);

/// Real looped models with random weights on a real task, for laws that hold for any weights.
std::unique_ptr<Reasoner> random_looped(const Task& task, const std::vector<uint64_t>& seeds);

}  // namespace sv::interp_test
