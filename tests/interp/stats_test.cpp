// Statistics against brute force and published values.
#include "interp/stats.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/rng.h"

namespace sv {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

TEST(Stats, WilsonAgreesWithPublishedValues) {
  // 8 of 10 at 95 %: (0.4902, 0.9433), R binom::binom.wilson.
  const Interval i = wilson_interval(8, 10);
  EXPECT_NEAR(i.low, 0.4902, 1e-4);
  EXPECT_NEAR(i.high, 0.9433, 1e-4);
  EXPECT_NEAR(wilson_interval(0, 10).low, 0, 1e-12);
  EXPECT_NEAR(wilson_interval(0, 10).high, 0.2775, 1e-4);
}

TEST(Stats, BootstrapOfTwoValuesCoversThreePossibleMeans) {
  const std::vector<double> values = {0, 1};
  const Interval i = bootstrap_interval(values, {4000, 0.95, 3});
  EXPECT_EQ(i.low, 0);
  EXPECT_EQ(i.high, 1);
  const Interval narrow = bootstrap_interval(values, {4000, 0.2, 3});
  EXPECT_EQ(narrow.low, 0.5);
  EXPECT_EQ(narrow.high, 0.5);
}

TEST(Stats, BootstrapCoversTheTrueMeanAsOftenAsItSays) {
  int covered = 0;
  const int trials = 400;
  for (int k = 0; k < trials; ++k) {
    std::vector<double> values;
    const Rng rng(static_cast<uint64_t>(k), 7);
    for (uint64_t i = 0; i < 40; ++i) {
      values.push_back(rng.normal(i));
    }
    const Interval i = bootstrap_interval(values, {400, 0.9, static_cast<uint64_t>(k)});
    covered += i.low <= 0 && 0 <= i.high ? 1 : 0;
  }
  EXPECT_NEAR(covered / static_cast<double>(trials), 0.9, 0.05);
}

TEST(Stats, BootstrapIsAPureFunctionOfDataAndKeyAndSkipsMissingValues) {
  const std::vector<double> values = {0.1, 0.5, 0.4, 0.9};
  const std::vector<double> holes = {0.1, kNaN, 0.5, 0.4, 0.9};
  EXPECT_EQ(bootstrap_interval(values).low, bootstrap_interval(holes).low);
  EXPECT_EQ(bootstrap_interval(values).high, bootstrap_interval(holes).high);
  EXPECT_TRUE(std::isnan(bootstrap_interval(std::vector<double>{kNaN}).low));
  const std::vector<double> one = {0.25};
  EXPECT_EQ(bootstrap_interval(one).low, 0.25);
  EXPECT_EQ(bootstrap_interval(one).high, 0.25);
}

TEST(Stats, HierarchicalIntervalOfEqualSeedsIsThatOfItems) {
  // Every seed has the same items: only items vary, so the interval is about that of their mean.
  ItemTable t{1, 4, 100, {}, std::vector<float>(100, 1)};
  for (int s = 0; s < 4; ++s) {
    for (int i = 0; i < 100; ++i) {
      t.numerator.push_back(i < 50 ? 1.0F : 0.0F);
    }
  }
  const Interval i = hierarchical_intervals(t, {4000, 0.95, 1})[0];
  // Four independent draws of 100 items: sd = 0.5 / sqrt(400).
  EXPECT_NEAR(i.high - i.low, 2 * 1.96 * 0.5 / 20, 0.012);
  EXPECT_NEAR(0.5 * (i.high + i.low), 0.5, 0.01);
}

TEST(Stats, HierarchicalIntervalWidensWithSeedsThatDiffer) {
  ItemTable t{2, 4, 50, {}, {}};
  for (int cell = 0; cell < 2; ++cell) {
    for (int s = 0; s < 4; ++s) {
      for (int i = 0; i < 50; ++i) {
        t.numerator.push_back(cell == 0 ? (s < 2 ? 1.0F : 0.0F) : (i % 2 == 0 ? 1.0F : 0.0F));
        t.denominator.push_back(1);
      }
    }
  }
  const std::vector<Interval> i = hierarchical_intervals(t);
  EXPECT_EQ(i[0].low, 0);
  EXPECT_EQ(i[0].high, 1);
  EXPECT_LT(i[1].high - i[1].low, 0.25);
}

TEST(Stats, InterquartileMeanDropsTheOuterQuarters) {
  const std::vector<double> values = {100, 1, 2, 3, 4, 5, 6, -100};
  EXPECT_DOUBLE_EQ(interquartile_mean(values), (2.0 + 3 + 4 + 5) / 4);
  EXPECT_DOUBLE_EQ(interquartile_mean(std::vector<double>{7}), 7);
  // Five values: the middle half is 2.5 slots wide, from 1.25 to 3.75.
  const std::vector<double> five = {0, 1, 2, 3, 4};
  EXPECT_DOUBLE_EQ(interquartile_mean(five), (0.75 * 1 + 2 + 0.75 * 3) / 2.5);
}

TEST(Stats, PermutationPCountsTheObservedAmongTheNull) {
  const std::vector<double> null = {0.1, 0.2, 0.3, 0.4};
  EXPECT_DOUBLE_EQ(permutation_p(0.5, null), 1.0 / 5);
  EXPECT_DOUBLE_EQ(permutation_p(0.3, null), 3.0 / 5);
}

TEST(Stats, MaxStatisticIsNeverMoreSignificantThanOneCellAlone) {
  const size_t cells = 6;
  const size_t permutations = 50;
  std::vector<double> null;
  const Rng rng(5, 1);
  for (size_t i = 0; i < cells * permutations; ++i) {
    null.push_back(rng.uniform(i));
  }
  std::vector<double> observed(cells);
  std::iota(observed.begin(), observed.end(), 0.0);
  for (double& v : observed) {
    v = 0.5 + 0.1 * v;
  }
  const std::vector<double> p = max_statistic_p(observed, null);
  for (size_t c = 0; c < cells; ++c) {
    std::vector<double> alone;
    std::vector<double> largest;
    for (size_t k = 0; k < permutations; ++k) {
      alone.push_back(null[k * cells + c]);
      const auto begin = null.begin() + static_cast<std::ptrdiff_t>(k * cells);
      largest.push_back(*std::max_element(begin, begin + cells));
    }
    EXPECT_GE(p[c], permutation_p(observed[c], alone));
    EXPECT_DOUBLE_EQ(p[c], permutation_p(observed[c], largest));
  }
}

}  // namespace
}  // namespace sv
