// How ops write rows and gradients: elementwise stores that vectorise, and column sums in a fixed
// order.
#pragma once
#include "kernels/cpu/split.h"

namespace sv::cpu {

/// out[i] = value(i), or out[i] += value(i) when `adds`. value may read element i of out, no other
/// (so the loop carries nothing and vectorises without a check for overlap).
template <class T, class F>
inline void write_row(T* out, int64_t n, bool adds, F&& value) {
  if (adds) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
      out[i] += value(i);
    }
  } else {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
      out[i] = value(i);
    }
  }
}

/// Rows per partial sum of a parameter gradient: fixed, so that the sum over rows never follows the
/// threads.
inline constexpr int64_t kSumRows = 64;

/// Zeroed partial column sums (live models, row blocks of kSumRows, columns) in the arena.
template <class T>
T* column_partials(const Context& ctx, int models, int64_t rows, int64_t columns) {
  const int64_t count = models * ((rows + kSumRows - 1) / kSumRows) * columns;
  T* p = ctx.arena->alloc_n<T>(static_cast<size_t>(count));
  std::fill(p, p + count, T{0});
  return p;
}

/// Calls f(m, begin, end, partial) for each block of kSumRows rows with its own row of `partials`.
template <class T, class F>
void for_each_sum_block(
    const Context& ctx, int models, int64_t rows, int64_t columns, T* partials, F&& f) {
  const int64_t blocks = (rows + kSumRows - 1) / kSumRows;
  for_each_item(ctx, models * blocks, models * rows * columns, [&](int64_t item) {
    const int64_t begin = item % blocks * kSumRows;
    f(ctx.model(static_cast<int>(item / blocks)),
      begin,
      std::min(rows, begin + kSumRows),
      partials + item * columns);
  });
}

/// Columns [first, first + count) of partial rows that are `width` wide.
struct ColumnRange {
  int64_t width, first, count;
  ColumnRange(int64_t columns) : ColumnRange(columns, 0, columns) {}  // all of them
  ColumnRange(int64_t row_width, int64_t begin, int64_t columns)
      : width(row_width), first(begin), count(columns) {}
};

/// Adds the blocks of each model in ascending order and writes the sums (M, count) to the gradient,
/// if wanted.
template <class T>
void put_column_sums(const Context& ctx,
                     int models,
                     int64_t rows,
                     ColumnRange columns,
                     T* partials,
                     const Grad& out) {
  if (!out.wanted()) {
    return;
  }
  const int64_t blocks = (rows + kSumRows - 1) / kSumRows, count = columns.count;
  T* to = out.t.as<T>();
  const bool adds = out.adds();
  for_each_item(ctx, models, models * blocks * count, [&](int64_t item) {
    T* total = partials + item * blocks * columns.width + columns.first;
    for (int64_t b = 1; b < blocks; ++b) {
      const T* part = total + b * columns.width;
      write_row(total, count, true, [=](int64_t i) { return part[i]; });
    }
    T* row = to + ctx.model(static_cast<int>(item)) * count;
    write_row(row, count, adds, [=](int64_t i) { return blocks ? total[i] : T{0}; });
  });
}

}  // namespace sv::cpu
