// Statistics over seeds and items: intervals, permutation p-values, robust means. Sample size is
// the number of seeds; items only refine it. Every draw is keyed, so an interval is a pure function
// of its data.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace sv {

struct Interval {
  double low = 0;
  double high = 0;
};

struct Bootstrap {
  int draws = 1000;
  double level = 0.95;
  uint64_t key = 0;
};

/// Mean of the finite values; NaN when there are none.
double mean_of(std::span<const double> values);
/// Mean of the middle half; values at its edges count in part, so any n >= 1 has one.
double interquartile_mean(std::span<const double> values);
/// Percentile of the values by linear interpolation, q in [0, 1].
double percentile(std::span<const double> values, double q);

/// Percentile bootstrap of the mean over seeds. NaN values are left out; with fewer than two values
/// the interval is that value.
Interval bootstrap_interval(std::span<const double> values, const Bootstrap& = {});

/// What a hierarchical bootstrap resamples: per cell, seed and item a numerator and a denominator;
/// the statistic of a cell is sum(numerator) / sum(denominator) of each seed, averaged over seeds.
struct ItemTable {
  int64_t cells = 0;
  int64_t seeds = 0;
  int64_t items = 0;
  std::vector<float> numerator;    // (cells, seeds, items)
  std::vector<float> denominator;  // (cells, seeds, items), or (items) for all
};
/// Per cell: seeds are drawn, then items within each drawn seed; the same draws serve every cell.
std::vector<Interval> hierarchical_intervals(const ItemTable& table, const Bootstrap& = {});

/// Wilson's interval of a share: items are the sample, so it speaks about one seed alone.
Interval wilson_interval(int64_t right, int64_t items, double level = 0.95);

/// (1 + #{null >= observed}) / (1 + #null).
double permutation_p(double observed, std::span<const double> null);
/// One p per cell, corrected for the whole grid: each permutation counts by its largest cell.
/// `null` (permutations, cells).
std::vector<double> max_statistic_p(std::span<const double> observed, std::span<const double> null);

}  // namespace sv
