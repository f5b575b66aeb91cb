// The linear probe must find what was planted, where it was planted, and nothing else.
#include "interp/probe/linear_probe.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/rng.h"
#include "data/tasks.h"
#include "interp/planted.h"

namespace sv {
namespace {

using interp_test::planted_data;
using interp_test::planted_model;
using interp_test::random_looped;

ProbeOptions options() {
  ProbeOptions o;
  o.updates = {1, 2, 3};
  o.train_items = 200;
  o.test_items = 100;
  o.run = {32, 2};
  return o;
}

const ProbeResult& named(const std::vector<ProbeResult>& all, const std::string& truth) {
  for (const ProbeResult& r : all) {
    if (r.truth == truth) {
      return r;
    }
  }
  fail("no result ", truth);
}

TEST(LinearProbe, FindsPlantedLabelsWhereTheyArePlantedOnly) {
  const Dataset data = planted_data(300);
  interp_test::PlantedSettings settings;
  settings.silent_from = 3;  // the state is zero from the third update on
  const auto model = planted_model({1, 2}, settings);
  const std::vector<ProbeResult> all = linear_probe(*model, data, options());
  ASSERT_EQ(all.size(), 4U);  // symbol, bits (a group of two), coin, answer
  for (const char* truth : {"symbol", "bits", "answer"}) {
    const ProbeResult& r = named(all, truth);
    for (size_t m = 0; m < 2; ++m) {
      EXPECT_EQ(r.accuracy[m][0], 1) << truth;
      EXPECT_EQ(r.accuracy[m][1], 1) << truth;
      EXPECT_NEAR(r.accuracy[m][2], r.majority, 1e-12) << truth;
      EXPECT_EQ(r.input_only[m], 1) << truth;
    }
    EXPECT_EQ(r.interval[0].low, 1);
    EXPECT_EQ(r.by_position[0][3], 1);
  }
  EXPECT_EQ(named(all, "symbol").test_labels, 400);
  EXPECT_TRUE(named(all, "symbol").evidence.exploratory);
}

TEST(LinearProbe, ControlsFallToChance) {
  const Dataset data = planted_data(300);
  const auto model = planted_model({1, 2}, {});
  const std::vector<ProbeResult> all = linear_probe(*model, data, options());
  const ProbeResult& symbol = named(all, "symbol");
  const ProbeResult& coin = named(all, "coin");
  for (size_t m = 0; m < 2; ++m) {
    // 400 held-out labels: four standard deviations are 8.7 points at 1/4 and 10 points at 1/2.
    EXPECT_NEAR(symbol.shuffled[m][0], 0.25, 0.09);
    EXPECT_NEAR(coin.accuracy[m][0], 0.5, 0.10);
    // The state does not know the position, so it cannot know a class per (position, token).
    EXPECT_LT(symbol.control_task[m][0], 0.65);
    EXPECT_NEAR(symbol.selectivity[m][0], 1 - symbol.control_task[m][0], 1e-12);
  }
  EXPECT_LT(symbol.majority, 0.4);
}

TEST(LinearProbe, AgreesWithAPlainRidgePerTruth) {
  // Oracle: one-hot regression by Gaussian elimination on one truth of a random looped model.
  const Dataset data = planted_data(300);
  const auto model = random_looped(data.task(), {5, 8});
  ProbeOptions o = options();
  o.updates = {2};
  o.truths = {"low"};
  o.strength = 0.05;
  const ProbeResult r = linear_probe(*model, data, o)[0];
  RecordPlan plan;
  plan.updates = {2};
  const std::vector<SiteValues> h = record(*model, data, 0, 300, plan);
  const size_t d = 16;
  for (int64_t m = 0; m < 2; ++m) {
    const float* x = h[0].data.tensor().as<float>() + h[0].offset(m, 0, 0);
    std::vector<double> mean(d + 1, 0);
    const size_t fitted = 800;
    const auto y = [&](size_t n) { return data[static_cast<int64_t>(n / 4)].truths[1][n % 4]; };
    for (size_t n = 0; n < fitted; ++n) {
      for (size_t i = 0; i < d; ++i) {
        mean[i] += static_cast<double>(x[n * d + i]) / fitted;
      }
      mean[d] += y(n) / static_cast<double>(fitted);
    }
    std::vector<std::vector<double>> a(d, std::vector<double>(d + 1, 0));
    for (size_t n = 0; n < fitted; ++n) {
      for (size_t i = 0; i < d; ++i) {
        const double xi = static_cast<double>(x[n * d + i]) - mean[i];
        for (size_t j = 0; j < d; ++j) {
          a[i][j] += xi * (static_cast<double>(x[n * d + j]) - mean[j]);
        }
        a[i][d] += xi * (y(n) - mean[d]);
      }
    }
    double trace = 0;
    for (size_t i = 0; i < d; ++i) {
      trace += a[i][i];
    }
    for (size_t i = 0; i < d; ++i) {
      a[i][i] += o.strength * trace / d;
    }
    for (size_t i = 0; i < d; ++i) {
      for (size_t row = 0; row < d; ++row) {
        const double f = row == i ? 0 : a[row][i] / a[i][i];
        for (size_t j = i; j <= d && f != 0; ++j) {
          a[row][j] -= f * a[i][j];
        }
      }
    }
    int right = 0;
    for (size_t n = fitted; n < 1200; ++n) {
      double score = mean[d];
      for (size_t i = 0; i < d; ++i) {
        score += a[i][d] / a[i][i] * (static_cast<double>(x[n * d + i]) - mean[i]);
      }
      right += (score > 0.5 ? 1 : 0) == y(n) ? 1 : 0;
    }
    EXPECT_NEAR(r.accuracy[static_cast<size_t>(m)][0], right / 400.0, 1.5 / 400);
  }
}

TEST(LinearProbe, DoesNotDependOnThreadsOrPack) {
  const Dataset data = planted_data(300);
  ProbeOptions o = options();
  o.truths = {"bits", "symbol"};
  const auto pack = random_looped(data.task(), {5, 8, 11});
  const auto alone = random_looped(data.task(), {8});
  const std::vector<ProbeResult> one = linear_probe(*pack, data, o);
  o.run.threads = 1;
  const std::vector<ProbeResult> two = linear_probe(*pack, data, o);
  const std::vector<ProbeResult> single = linear_probe(*alone, data, o);
  for (size_t i = 0; i < one.size(); ++i) {
    EXPECT_EQ(one[i].accuracy, two[i].accuracy);
    EXPECT_EQ(one[i].shuffled, two[i].shuffled);
    EXPECT_EQ(one[i].accuracy[1], single[i].accuracy[0]);
  }
}

TEST(LinearProbe, AnUntrainedPackStandsBesideTheTrainedOne) {
  const Dataset data = planted_data(300);
  interp_test::PlantedSettings silent;
  silent.silent_from = 1;
  const auto model = planted_model({1, 2}, {});
  const auto blank = planted_model({1, 2, 3}, silent);
  ProbeOptions o = options();
  o.truths = {"symbol"};
  o.untrained = blank.get();
  const ProbeResult r = linear_probe(*model, data, o)[0];
  ASSERT_EQ(r.untrained.size(), 3U);
  EXPECT_NEAR(r.untrained[2][0], r.majority, 1e-12);
}

TEST(LinearProbe, MasksOfDifferentStepsAreKeptApart) {
  TaskOptions size;
  size.size = 4;
  const Dataset data(make_task("sudoku", size), Split::train, 1, 150);
  const auto model = random_looped(data.task(), {1, 2});
  ProbeOptions o;
  o.updates = {1};
  o.truths = {"mark"};
  o.train_items = 100;
  o.test_items = 50;
  const std::vector<ProbeResult> all = linear_probe(*model, data, o);
  ASSERT_GE(all.size(), 2U);
  for (const ProbeResult& r : all) {
    int64_t labels = 0;
    for (int64_t i = 100; i < 150; ++i) {
      for (int t = 0; t < 16; ++t) {
        labels += data[i].truths[0][static_cast<size_t>((r.step - 1) * 16 + t)] >= 0 ? 1 : 0;
      }
    }
    EXPECT_EQ(r.test_labels, labels) << "step " << r.step;
    EXPECT_GT(r.accuracy[0][0], 0.4);
  }
}

TEST(LinearProbe, NamesTheNearestTruthForAnUnknownOne) {
  const Dataset data = planted_data(300);
  const auto model = planted_model({1, 2}, {});
  ProbeOptions o = options();
  o.truths = {"simbol"};
  try {
    linear_probe(*model, data, o);
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("'symbol'"), std::string::npos) << e.what();
  }
  o.truths = {};
  o.test_items = 200;
  EXPECT_THROW(linear_probe(*model, data, o), Error);
}

TEST(Labels, ShufflingStaysWithinPositionAndSplit) {
  const Dataset data = planted_data(50);
  const std::vector<LabelFamily> families = make_labels(data, {{"symbol"}, {}, {}, 30, 20, 4});
  ASSERT_EQ(families.size(), 1U);
  const LabelSet& set = families[0].sets[0];
  EXPECT_NE(set.label[0], set.label[1]);
  for (int split = 0; split < 2; ++split) {
    for (size_t t = 0; t < 4; ++t) {
      std::array<int, 8> count{};
      for (size_t i = split == 0 ? 0 : 30; i < (split == 0 ? 30U : 50U); ++i) {
        ++count[static_cast<size_t>(set.label[0][i * 4 + t])];
        --count[static_cast<size_t>(set.label[1][i * 4 + t])];
      }
      for (const int c : count) {
        EXPECT_EQ(c, 0);
      }
    }
  }
}

TEST(Labels, TheControlTaskIsAFunctionOfPositionAndToken) {
  const Dataset data = planted_data(50);
  const std::vector<LabelFamily> families = make_labels(data, {{"symbol"}, {}, {}, 30, 20, 4});
  const std::vector<int16_t>& label = families[0].sets[0].label[2];
  std::array<int, 16> seen{};
  seen.fill(-1);
  for (int64_t i = 0; i < 50; ++i) {
    for (size_t t = 0; t < 4; ++t) {
      int& known = seen[t * 4 + static_cast<size_t>(data[i].tokens[t])];
      const int mine = label[static_cast<size_t>(i) * 4 + t];
      EXPECT_TRUE(known < 0 || known == mine);
      known = mine;
    }
  }
}

}  // namespace
}  // namespace sv
