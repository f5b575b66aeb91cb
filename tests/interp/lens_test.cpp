// The lens is the readout; dynamics of planted maps have known numbers.
#include "interp/lens/readout_lens.h"

#include <gtest/gtest.h>

#include <cmath>

#include "interp/dynamics/convergence.h"
#include "interp/planted.h"

namespace sv {
namespace {

using interp_test::planted_data;
using interp_test::planted_model;
using interp_test::random_looped;

TEST(ReadoutLens, EqualsTheEvaluationAtEveryUpdate) {
  const Dataset data = planted_data(19);
  const auto model = random_looped(data.task(), {1, 4, 7});
  LensOptions o;
  o.depths = {1, 2, 5};
  o.run = {8, 2};
  const LensResult lens = readout_lens(*model, data, o);
  EvaluateOptions e;
  e.depths = o.depths;
  const DepthCurves curves = evaluate(*model, data, e);
  for (size_t m = 0; m < 3; ++m) {
    for (size_t d = 0; d < 3; ++d) {
      EXPECT_NEAR(lens.means.accuracy[m][d], curves.accuracy[m][d], 1e-12);
      EXPECT_GE(lens.means.target_rank[m][d], 1);
      EXPECT_GE(lens.means.kl_to_final[m][d], -1e-12);
    }
    EXPECT_NEAR(lens.means.kl_to_final[m][2], 0, 1e-12);
  }
  double mean = 0;
  for (size_t t = 0; t < 4; ++t) {
    mean += lens.position_accuracy[1][t] / 4;
  }
  EXPECT_NEAR(mean, column_means(lens.means.accuracy)[1], 1e-12);
}

TEST(ReadoutLens, AnExampleShowsWhatTheRunsLogitsSay) {
  const Dataset data = planted_data(9);
  const auto model = random_looped(data.task(), {1, 4});
  LensOptions o;
  o.depths = {1, 3};
  o.examples = {2, 5};
  o.example_models = {1};
  const LensResult lens = readout_lens(*model, data, o);
  ASSERT_EQ(lens.examples.size(), 2U);
  const LensExample& e = lens.examples[1];
  EXPECT_EQ(e.index, 5);
  EXPECT_EQ(e.seed, 4U);
  Arena arena;
  Tape tape({&arena, 1, {}}, false);
  Plan plan;
  plan.depth = Depth::fixed(3);
  Trajectory run;
  unroll(*model, load_inputs(tape.ctx, data.range(0, 9)), plan, tape, run);
  const float* logits = run.readouts.back().logits.value().as<float>() + ((1 * 9 + 5) * 4) * 4;
  for (size_t t = 0; t < 4; ++t) {
    const float* x = logits + t * 4;
    double sum = 0;
    int best = 0;
    for (int v = 0; v < 4; ++v) {
      sum += std::exp(static_cast<double>(x[v]));
      best = x[v] > x[best] ? v : best;
    }
    EXPECT_EQ(e.readout[1][t], std::to_string(best));
    EXPECT_NEAR(e.prob[1][t], std::exp(static_cast<double>(x[best])) / sum, 1e-9);
    const int target = data[5].targets[t];
    EXPECT_NEAR(e.target_prob[1][t], std::exp(static_cast<double>(x[target])) / sum, 1e-9);
    EXPECT_EQ(e.correct[1][t], best == target ? 1 : 0);
    EXPECT_EQ(e.targets[t], std::to_string(target));
  }
}

TEST(ReadoutLens, ItsNullIsAPackOfItsOwn) {
  const Dataset data = planted_data(9);
  const auto model = planted_model({1, 2}, {});
  const auto blank = planted_model({1, 2, 3}, {1, 0, 1, 1});
  LensOptions o;
  o.depths = {1, 2};
  o.untrained = blank.get();
  const LensResult lens = readout_lens(*model, data, o);
  EXPECT_EQ(lens.means.accuracy[0][1], 1);
  ASSERT_TRUE(lens.untrained);
  ASSERT_EQ(lens.untrained->accuracy.size(), 3U);
  EXPECT_NEAR(lens.untrained->target_prob[2][1], 0.25, 1e-12);  // all logits are zero
}

TEST(Convergence, AShrinkingStateMovesStraightAlongItself) {
  const Dataset data = planted_data(9);
  const auto model = planted_model({1, 2}, {0.5, 0, 1, 0});
  DynamicsOptions o;
  o.depth = 4;
  o.run = {4, 2};
  const ConvergenceResult r = convergence(*model, data, o);
  ASSERT_EQ(r.updates.size(), 4U);
  for (size_t m = 0; m < 2; ++m) {
    for (size_t u = 1; u < 4; ++u) {
      // ||h/2 - h|| / ||h/2|| = 1; every step points the same way; all of it is radial.
      EXPECT_NEAR(r.trained.residual[m][u], 1, 1e-6);
      EXPECT_NEAR(r.trained.radial[m][u], 1, 1e-6);
    }
    EXPECT_NEAR(r.trained.turn[m][3], 1, 1e-6);
  }
}

TEST(Convergence, AFlippingStateTurnsBackEveryTime) {
  const Dataset data = planted_data(9);
  const auto model = planted_model({1, 2}, {-1, 0, 1, 0});
  DynamicsOptions o;
  o.depth = 4;
  const ConvergenceResult r = convergence(*model, data, o);
  EXPECT_NEAR(r.trained.residual[1][2], 2, 1e-6);
  EXPECT_NEAR(r.trained.turn[1][3], -1, 1e-6);
}

TEST(Convergence, ItsResidualIsTheOneOfTheEvaluation) {
  const Dataset data = planted_data(12);
  const auto model = random_looped(data.task(), {1, 4});
  DynamicsOptions o;
  o.depth = 3;
  const ConvergenceResult r = convergence(*model, data, o);
  EvaluateOptions e;
  e.depths = {1, 2, 3};
  const DepthCurves c = evaluate(*model, data, e);
  for (size_t m = 0; m < 2; ++m) {
    for (size_t u = 0; u < 3; ++u) {
      EXPECT_NEAR(r.trained.residual[m][u], c.residual[m][u], 1e-5);
    }
  }
}

TEST(Trajectories, AStateOnALineHasOneAxis) {
  const Dataset data = planted_data(3);
  const auto model = planted_model({1, 2}, {0.5, 0, 1, 0});
  const std::vector<Trajectory2d> paths = trajectories(*model, data, {1}, 3, -1, 1);
  ASSERT_EQ(paths.size(), 2U);  // one per model
  EXPECT_EQ(paths[0].updates, (std::vector<int>{0, 1, 2, 3}));
  EXPECT_NEAR(paths[0].explained[0], 1, 1e-9);
  EXPECT_TRUE(paths[0].solved);
  // Each step is half the one before, all on the first axis.
  const auto step = [&](size_t i) { return paths[0].point[i + 1][0] - paths[0].point[i][0]; };
  EXPECT_NEAR(step(1) / step(0), 0.5, 1e-5);
  EXPECT_NEAR(paths[0].point[2][1], 0, 1e-9);
}

TEST(Settled, TablesAndRatesFollowThePlantedSwitch) {
  // Right until the state goes silent at the third update.
  const Dataset data = planted_data(40);
  const auto model = planted_model({1, 2}, {1, 0, 1, 3});
  EvaluateOptions e;
  e.depths = {1, 2, 3};
  const DepthCurves c = evaluate(*model, data, e);
  const HoldRates h = hold_rates(c);
  EXPECT_EQ(h.depths, (std::vector<int>{1, 2}));
  EXPECT_EQ(h.hold[0][0], 1);
  EXPECT_LT(h.hold[0][1], 0.1);  // a silent state answers 0 everywhere
  EXPECT_NEAR(h.hold[0][1], h.independent[0][1], 1e-12);
  EXPECT_EQ(h.reached[1], 40);
  EXPECT_EQ(h.settle[1], 1);
  EXPECT_GT(h.leave[1], 0.9);
  const SettledTable table = settled_table(c, 0.01);
  EXPECT_EQ(table.settled_right[0] + table.settled_wrong[0], 0);  // the last update jumped to zero
  EXPECT_EQ(table.moving_right[0] + table.moving_wrong[0], 40);
}

}  // namespace
}  // namespace sv
