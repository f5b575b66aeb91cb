// Dataset: a task's split held in memory, from which batches are drawn. Training-set size is a
// number one can print; a batch is a pure function of (model seed, step), so nothing about data
// order needs saving.
#pragma once
#include <memory>
#include <span>

#include "data/batch.h"
#include "data/task.h"

namespace sv {

class Dataset {
 public:
  /// Materialises `count` examples of the split (fewer only if the task is finite and `count` is 0
  /// = all; asking a finite split for more than it has throws). Distinct by canonical form within
  /// the set. Training reads no truths: `with_truths` = false drops them (6x6 Sudoku: 7 KB an
  /// example).
  Dataset(std::shared_ptr<const Task> task,
          Split split,
          uint64_t seed,
          int64_t count,
          bool with_truths = true);

  const Task& task() const { return *task_; }
  int64_t size() const { return static_cast<int64_t>(examples_.size()); }
  const Example& operator[](int64_t i) const { return examples_[static_cast<size_t>(i)]; }
  /// SHA-256 over tokens and targets of all examples: names the data set in every result.
  std::string digest() const;

  /// Training batch: model m reads size examples drawn by Rng(seeds[m], stream "data", step).
  /// `out` is refilled, so a steady training step allocates nothing.
  void draw(std::span<const uint64_t> seeds, uint64_t step, int size, Batch& out) const;
  /// Evaluation batch: examples [begin, begin + size) for all models (models = 1); clipped at the
  /// end.
  Batch range(int64_t begin, int size) const;
  /// Makes room for (models, B) rows; then put() fills row b of model m with an example.
  void resize(int models, int size, Batch& out) const;
  void put(int64_t index, int m, int b, Batch& out) const;

 private:
  std::shared_ptr<const Task> task_;
  std::vector<Example> examples_;
};

/// Share of `test` whose solution (Task::solution_key) also solves an example of `train`, or -1 for
/// a task that does not compare solutions. Printed beside scores: a model could have learned such
/// solutions by heart.
double solution_overlap(const Dataset& train, const Dataset& test);

}  // namespace sv
