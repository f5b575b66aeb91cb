// A data set as an HDF5 file that others can read: tokens, targets, truths and where they come
// from.
#pragma once
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/io/h5.h"

namespace sv {

/// Where the examples of a file come from; with the task's code it is enough to make them again.
struct DatasetOrigin {
  std::string options;  // the task's options as resolved, in one line
  Split split = Split::train;
  uint64_t seed = 0;
};

/// A data set read back. Truths have the names and order of the file.
struct StoredDataset {
  std::string task;
  DatasetOrigin origin;
  std::string digest;  // Dataset::digest() of the examples
  int positions = 0;
  int target_steps = 1;
  std::vector<TruthSpec> truths;
  std::vector<Example> examples;               // without `canonical`
  std::vector<std::string> canonical_digests;  // SHA-256 of each canonical form, to compare sets
};

/// Publishes the data set as `path`. Arrays: tokens (example, position), targets (example,
/// target_step, position), length, difficulty and canonical (example), position_difficulty and, of
/// written solutions, roles (example, position), and truth_<name> (example, truth_step_<S>,
/// position).
Published write_dataset(const std::string& path,
                        const Dataset& data,
                        const DatasetOrigin& origin,
                        Files& files = real_files());

StoredDataset read_dataset(const std::string& path,
                           const H5Trust& trust = H5Trust::manifest(),
                           Files& files = real_files());

}  // namespace sv
