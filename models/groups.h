// Groups: a batch cut into pieces of a few sequences, so that one thread carries a piece through
// all updates (and back) while its activations stay in cache, with no barrier in the loop. The cut
// depends on the batch alone, never on threads or pack, and so do the bits of every sum over it.
#pragma once
#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <vector>

#include "data/batch.h"
#include "models/queue.h"
#include "models/reasoner.h"

namespace sv {

/// Tokens that one thread works on at a time: enough rows for the matrix kernels, few enough that
/// the activations of a block stay in L2 (measured: kernels/README.md).
inline constexpr int kGroupTokens = 128;
/// Parameter gradients of one model that are summed apart: bounds both the memory for them and the
/// threads a single model can use in training.
inline constexpr int kMaxLanes = 8;

/// Piece i of `rows` cut into `pieces` of nearly equal size, longer ones first.
Rows piece(Rows rows, int i, int pieces);
/// How many groups of about kGroupTokens tokens the rows make.
int group_count(Rows rows, int positions);
/// Lanes of a training batch: at most `most`, each of at least about kGroupTokens tokens.
std::vector<Rows> lanes_of(int batch, int positions, int most = kMaxLanes);

/// The batch as tensors where the context computes; lengths only where a row is padded: whether a
/// mask is applied must not depend on which examples were drawn, and a mask that hides nothing
/// gives the same bits as none (a law of the attention op).
Inputs load_inputs(const Context& ctx, const Batch& batch);
/// Views of the rows of model m (of every model's shared rows if the inputs lead with 1).
Inputs slice(const Inputs& in, int m, Rows rows);

/// Calls f(task, worker) for every task in [0, count) on at most `threads` threads, each taking the
/// next one when it is free; `worker` < threads is the calling thread's own place. The first error,
/// by task, is thrown again.
template <class F>
void run_tasks(int64_t count, int threads, F&& f) {
  std::exception_ptr error;
  int64_t failed = count;
  const auto guarded = [&](int64_t task, int worker) {
    try {
      f(task, worker);
    } catch (...) {
#pragma omp critical(sv_run_tasks)
      if (task < failed) {
        failed = task;
        error = std::current_exception();
      }
    }
  };
  if (threads <= 1 || count <= 1) {
    for (int64_t task = 0; task < count; ++task) {
      guarded(task, 0);
    }
  } else {
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (int64_t task = 0; task < count; ++task) {
      guarded(task, omp_get_thread_num());
    }
  }
  if (error) {
    std::rethrow_exception(error);
  }
}

}  // namespace sv
