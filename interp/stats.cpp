#include "interp/stats.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/check.h"
#include "core/rng.h"

namespace sv {

namespace {

/// Quantile of the standard normal, by bisection on erfc: called once per table, so speed is no
/// matter.
double normal_quantile(double p) {
  double low = -10;
  double high = 10;
  for (int i = 0; i < 80; ++i) {
    const double mid = 0.5 * (low + high);
    (0.5 * std::erfc(-mid / std::sqrt(2.0)) < p ? low : high) = mid;
  }
  return 0.5 * (low + high);
}

double percentile_of_sorted(const std::vector<double>& sorted, double q) {
  const double at = q * static_cast<double>(sorted.size() - 1);
  const auto i = static_cast<size_t>(at);
  const double rest = at - static_cast<double>(i);
  return i + 1 < sorted.size() ? sorted[i] + rest * (sorted[i + 1] - sorted[i]) : sorted[i];
}

Interval interval_of(std::vector<double>& draws, double level) {
  if (draws.empty()) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    return {nan, nan};
  }
  std::sort(draws.begin(), draws.end());
  return {percentile_of_sorted(draws, 0.5 * (1 - level)),
          percentile_of_sorted(draws, 0.5 * (1 + level))};
}

/// Fills `index` with draws from 0..n-1.
void draw_items(const Rng& rng, uint32_t n, std::vector<uint32_t>& index) {
  for (size_t i = 0; i < index.size(); ++i) {
    index[i] = rng.below(i, n);
  }
}

}  // namespace

double mean_of(std::span<const double> values) {
  double sum = 0;
  int64_t count = 0;
  for (const double v : values) {
    if (std::isfinite(v)) {
      sum += v;
      ++count;
    }
  }
  return count > 0 ? sum / static_cast<double>(count) : std::numeric_limits<double>::quiet_NaN();
}

double interquartile_mean(std::span<const double> values) {
  SV_CHECK(!values.empty(), "an interquartile mean needs values");
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  const auto n = static_cast<double>(sorted.size());
  double sum = 0;
  for (size_t i = 0; i < sorted.size(); ++i) {
    // Overlap of the i-th value's slot [i, i+1] with the middle half [n/4, 3n/4].
    const auto slot = static_cast<double>(i);
    sum += sorted[i] * std::max(0.0, std::min(slot + 1, 0.75 * n) - std::max(slot, 0.25 * n));
  }
  return sum / (0.5 * n);
}

double percentile(std::span<const double> values, double q) {
  SV_CHECK(!values.empty() && q >= 0 && q <= 1, "percentile ", q, " of ", values.size(), " values");
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  return percentile_of_sorted(sorted, q);
}

Interval bootstrap_interval(std::span<const double> values, const Bootstrap& options) {
  std::vector<double> finite;
  std::copy_if(values.begin(), values.end(), std::back_inserter(finite), [](double v) {
    return std::isfinite(v);
  });
  std::vector<double> draws;
  const auto n = static_cast<uint32_t>(finite.size());
  for (int k = 0; n > 0 && k < options.draws; ++k) {
    const Rng rng(options.key, stream_of("bootstrap"), static_cast<uint64_t>(k));
    double sum = 0;
    for (uint32_t i = 0; i < n; ++i) {
      sum += finite[rng.below(i, n)];
    }
    draws.push_back(sum / n);
  }
  return interval_of(draws, options.level);
}

std::vector<Interval> hierarchical_intervals(const ItemTable& t, const Bootstrap& options) {
  const auto cells = static_cast<size_t>(t.cells);
  const auto seeds = static_cast<size_t>(t.seeds);
  const auto items = static_cast<size_t>(t.items);
  SV_CHECK_EQ(t.numerator.size(), cells * seeds * items);
  const bool shared = t.denominator.size() == items;
  SV_CHECK(shared || t.denominator.size() == t.numerator.size(), "one denominator per item");
  std::vector<std::vector<double>> draws(cells);
  std::vector<uint32_t> index(items);
  std::vector<double> mean(cells);
  std::vector<int> counted(cells);
  for (int k = 0; items > 0 && k < options.draws; ++k) {
    std::fill(mean.begin(), mean.end(), 0.0);
    std::fill(counted.begin(), counted.end(), 0);
    const auto step = static_cast<uint64_t>(k);
    const Rng seed_rng(options.key, stream_of("bootstrap.seed"), step);
    for (size_t slot = 0; slot < seeds; ++slot) {
      const size_t s = seed_rng.below(slot, static_cast<uint32_t>(seeds));
      draw_items(Rng(options.key, stream_of("bootstrap.item"), step * seeds + slot),
                 static_cast<uint32_t>(items),
                 index);
      for (size_t c = 0; c < cells; ++c) {
        const float* top = t.numerator.data() + (c * seeds + s) * items;
        const float* bottom = t.denominator.data() + (shared ? 0 : (c * seeds + s) * items);
        double over = 0;
        double under = 0;
        for (const uint32_t i : index) {
          over += static_cast<double>(top[i]);
          under += static_cast<double>(bottom[i]);
        }
        mean[c] += under > 0 ? over / under : 0;
        counted[c] += under > 0 ? 1 : 0;
      }
    }
    for (size_t c = 0; c < cells; ++c) {
      if (counted[c] > 0) {
        draws[c].push_back(mean[c] / counted[c]);
      }
    }
  }
  std::vector<Interval> out;
  for (std::vector<double>& d : draws) {
    out.push_back(interval_of(d, options.level));
  }
  return out;
}

Interval wilson_interval(int64_t right, int64_t items, double level) {
  if (items == 0) {
    return {0, 1};
  }
  const double z = normal_quantile(0.5 * (1 + level));
  const auto n = static_cast<double>(items);
  const double p = static_cast<double>(right) / n;
  const double middle = (p + z * z / (2 * n)) / (1 + z * z / n);
  const double half = z / (1 + z * z / n) * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  return {std::max(0.0, middle - half), std::min(1.0, middle + half)};
}

double permutation_p(double observed, std::span<const double> null) {
  const auto above =
      std::count_if(null.begin(), null.end(), [&](double v) { return v >= observed; });
  return static_cast<double>(1 + above) / static_cast<double>(1 + null.size());
}

std::vector<double> max_statistic_p(std::span<const double> observed,
                                    std::span<const double> null) {
  const size_t cells = observed.size();
  SV_CHECK(cells > 0 && null.size() % cells == 0,
           null.size(),
           " null values for a grid of ",
           cells,
           " cells");
  std::vector<double> largest;
  for (size_t begin = 0; begin < null.size(); begin += cells) {
    largest.push_back(*std::max_element(null.begin() + static_cast<std::ptrdiff_t>(begin),
                                        null.begin() + static_cast<std::ptrdiff_t>(begin + cells)));
  }
  std::vector<double> out;
  for (const double v : observed) {
    out.push_back(permutation_p(v, largest));
  }
  return out;
}

}  // namespace sv
