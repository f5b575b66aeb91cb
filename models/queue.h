// Queue: sequences that wait for a place in a run. A row that stops leaves its place to the next
// one, so that a run's time follows the mean number of updates of its rows and not the largest.
#pragma once
#include <algorithm>
#include <atomic>
#include <functional>
#include <span>
#include <vector>

#include "kernels/memory/context.h"

namespace sv {

/// Consecutive sequences of a batch.
struct Rows {
  int begin = 0;
  int count = 0;
};

/// Rows of one model that leave a run after the same update of its loop.
struct Exits {
  int model = 0;                // place in the pack
  std::span<const int> rows;    // places in the inputs of the run
  std::span<const int> steps;   // updates each has made
  std::span<const int> chosen;  // its own update whose readout it leaves: Trajectory::chosen
  Tensor logits;                // (1, rows, T, V), where the model is; lives until the call returns
};

/// Which rows of the inputs wait, for each model of a pack. Runs on several threads may take from
/// the same queue: what a row leaves depends neither on who took it nor on the rows beside it.
class Queue {
 public:
  /// Called by runs at the same time.
  using OnExit = std::function<void(const Context&, const Exits&)>;

  /// A run works on `places` of the `rows` sequences at a time.
  Queue(int models, int rows, int places, OnExit on_exit)
      : rows_(rows),
        places_(places),
        on_exit_(std::move(on_exit)),
        next_(static_cast<size_t>(models)) {}

  int places() const { return places_; }
  bool waiting(int model) const { return next_[static_cast<size_t>(model)] < rows_; }
  /// Up to `most` rows, which wait no longer.
  Rows take(int model, int most) {
    std::atomic<int>& next = next_[static_cast<size_t>(model)];
    int begin = next;
    int count = 0;
    do {
      count = std::min(most, rows_ - begin);
    } while (count > 0 && !next.compare_exchange_weak(begin, begin + count));
    return {begin, count};
  }
  void leave(const Context& ctx, const Exits& exits) const { on_exit_(ctx, exits); }

 private:
  int rows_, places_;
  OnExit on_exit_;
  std::vector<std::atomic<int>> next_;  // by model: the first row that waits
};

}  // namespace sv
