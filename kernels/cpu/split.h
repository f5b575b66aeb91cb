// The one way an op spreads work over threads: over independent items (models, rows, blocks), never
// over a sum.
#pragma once
#include <omp.h>

#include <algorithm>
#include <cstdint>

#include "kernels/memory/context.h"

namespace sv::cpu {

/// Below this many touched elements a parallel region (about 5 us to open) costs more than it
/// saves.
inline constexpr int64_t kSerialElements = 65536;

/// Elements of one item when a flat tensor is cut into blocks: 16 KiB of f32 a stream, half of L1
/// for two.
inline constexpr int64_t kBlock = 4096;

/// Calls f(task, thread) for task in [0, tasks), each exactly once, on `threads` threads; `thread`
/// is the place of the calling one. f must not throw.
template <class F>
void for_each_task(int threads, int64_t tasks, F&& f) {
  if (threads <= 1 || tasks <= 1) {  // no parallel region, which costs even for one thread
    for (int64_t i = 0; i < tasks; ++i) {
      f(i, 0);
    }
    return;
  }
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int64_t i = 0; i < tasks; ++i) {
    f(i, omp_get_thread_num());
  }
}

/// Calls f(item) for item in [0, items), each exactly once, on at most ctx.threads threads;
/// `elements` is the number of elements touched in all. f must not throw and must write only what
/// belongs to its item.
template <class F>
void for_each_item(const Context& ctx, int64_t items, int64_t elements, F&& f) {
  for_each_task(elements < kSerialElements ? 1 : ctx.threads, items, [&](int64_t i, int) { f(i); });
}

/// Calls f(m, begin, end) over the rows [begin, end) of model m, rows in blocks of about kBlock
/// elements.
template <class F>
void for_each_row_block(const Context& ctx, int models, int64_t rows, int64_t row_elements, F&& f) {
  const int64_t block = std::max<int64_t>(1, kBlock / std::max<int64_t>(1, row_elements));
  const int64_t blocks = (rows + block - 1) / block;
  for_each_item(ctx, models * blocks, models * rows * row_elements, [&](int64_t item) {
    const int m = ctx.model(static_cast<int>(item / blocks));
    const int64_t begin = item % blocks * block;
    f(m, begin, std::min(rows, begin + block));
  });
}

}  // namespace sv::cpu
