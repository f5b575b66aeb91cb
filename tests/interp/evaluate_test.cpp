// Evaluation against a naive loop over depths, and under halting rules.
#include "interp/evaluate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "data/tasks.h"
#include "interp/planted.h"
#include "kernels/cpu/isa.h"
#include "kernels/ops/readout_stats/readout_stats.h"
#include "models/train/watchdog.h"
#include "models/zoo.h"

namespace sv {
namespace {

using interp_test::planted_data;
using interp_test::planted_model;
using interp_test::random_looped;

struct Naive {
  Score score;
  double residual = 0;
};

/// One unroll per depth, one batch, the answer of the last readout.
std::vector<Naive> naive(Reasoner& model, const Dataset& data, int depth) {
  Arena arena;
  Tape tape({&arena, 1, {}}, false);
  const Batch batch = data.range(0, static_cast<int>(data.size()));
  Plan plan;
  plan.depth = Depth::fixed(depth);
  plan.save.residual = true;
  Trajectory run;
  unroll(model, load_inputs(tape.ctx, batch), plan, tape, run);
  const Tensor answer =
      make_tensor(arena, {model.models(), batch.size, batch.positions}, DType::i32);
  ops::argmax(tape.ctx, run.readouts.back().logits.value(), answer);
  std::vector<Naive> out;
  for (int m = 0; m < model.models(); ++m) {
    Naive n;
    n.score = score_answers(answer.slice(m, 1).as<int32_t>(), batch, 0, {0, batch.size}, depth);
    const Tensor last = run.residual.slice(depth - 1, 1);
    for (int b = 0; b < batch.size; ++b) {
      n.residual += static_cast<double>(last.as<float>()[m * batch.size + b]);
    }
    n.residual /= batch.size;
    out.push_back(n);
  }
  return out;
}

TEST(Evaluate, EqualsANaiveLoopOverDepthsBitForBit) {
  TaskOptions small;
  small.size = 6;
  small.hops = 4;  // the target changes with every update up to the fourth
  for (const char* name : {"permutation_power", "prefix_parity"}) {
    TaskOptions options = small;
    if (std::string(name) == "prefix_parity") {
      options.hops = 0;
      options.size = 12;
    }
    const Dataset data(make_task(name, options), Split::test, 1, 13);
    const auto model = random_looped(data.task(), {3, 5, 9});
    EvaluateOptions o;
    o.depths = {1, 2, 5, 7};
    o.run = {4, 2};  // batches of 4, the last one shorter
    const DepthCurves curves = evaluate(*model, data, o);
    EXPECT_EQ(curves.evidence.items, 13);
    EXPECT_TRUE(curves.evidence.exploratory);
    for (size_t d = 0; d < o.depths.size(); ++d) {
      const std::vector<Naive> expected = naive(*model, data, o.depths[d]);
      for (size_t m = 0; m < expected.size(); ++m) {
        EXPECT_EQ(curves.accuracy[m][d], expected[m].score.accuracy()) << name << " depth " << d;
        EXPECT_EQ(curves.exact[m][d], expected[m].score.exact()) << name << " depth " << d;
        EXPECT_NEAR(curves.residual[m][d], expected[m].residual, 1e-12);
      }
    }
  }
}

TEST(Evaluate, LevelsOfDifficultyAddUpToTheWhole) {
  const Dataset data = planted_data(40);
  const auto model = random_looped(data.task(), {1, 2});
  EvaluateOptions o;
  o.depths = {1, 3};
  const DepthCurves c = evaluate(*model, data, o);
  ASSERT_EQ(c.by_position_difficulty.size(), 4U);
  for (size_t m = 0; m < 2; ++m) {
    for (size_t d = 0; d < 2; ++d) {
      double right = 0;
      int64_t items = 0;
      for (const DifficultyCurve& level : c.by_difficulty) {
        right += level.accuracy[m][d] * static_cast<double>(level.items);
        items += level.items;
      }
      EXPECT_EQ(items, 40);
      EXPECT_NEAR(right / 40, c.accuracy[m][d], 1e-12);
      right = 0;
      for (const DifficultyCurve& level : c.by_position_difficulty) {
        EXPECT_EQ(level.items, 40);
        right += level.accuracy[m][d];
      }
      EXPECT_NEAR(right / 4, c.accuracy[m][d], 1e-12);
    }
  }
}

TEST(Evaluate, AModelThatCarriesTheAnswerIsAlwaysRightAndSettled) {
  const Dataset data = planted_data(20);
  const auto model = planted_model({1, 2, 3}, {});
  EvaluateOptions o;
  o.depths = {1, 4};
  const DepthCurves c = evaluate(*model, data, o);
  for (size_t m = 0; m < 3; ++m) {
    EXPECT_EQ(c.exact[m][1], 1);
    EXPECT_EQ(c.residual[m][1], 0);
    EXPECT_EQ(c.accuracy_item_interval[m][1].low, 1);
    EXPECT_GT(c.exact_item_interval[m][1].low, 0.8);  // Wilson: 20 of 20 is not certainty
  }
  EXPECT_EQ(c.accuracy_interval[1].low, 1);
}

TEST(Evaluate, IntervalsOfSomeModelsLeaveTheOthersOut) {
  const Dataset data = planted_data(30);
  const auto model = random_looped(data.task(), {1, 2, 3});
  EvaluateOptions o;
  o.depths = {2};
  const DepthCurves c = evaluate(*model, data, o);
  const Interval one = score_intervals(c.scores, {1}, false)[0];
  EXPECT_EQ(one.low, c.accuracy_item_interval[1][0].low);
  EXPECT_LE(one.low, c.accuracy[1][0]);
  EXPECT_GE(one.high, c.accuracy[1][0]);
  EXPECT_THROW(score_intervals(c.scores, {3}, false), Error);
}

/// Taps need the whole pack at once; without them groups of few sequences run apart. The same bits.
TEST(Evaluate, TheWholePackAtOnceGivesTheBitsOfGroups) {
  const Dataset data = planted_data(41);
  const auto model = random_looped(data.task(), {1, 2, 3});
  EvaluateOptions o;
  o.depths = {1, 3};
  const Taps none;
  o.taps = &none;
  const DepthCurves whole = evaluate(*model, data, o);
  o.taps = nullptr;
  for (const RunOptions run : {RunOptions{1, 1}, RunOptions{64, 2}, RunOptions{7, 4}}) {
    o.run = run;
    const DepthCurves groups = evaluate(*model, data, o);
    EXPECT_EQ(groups.scores.right, whole.scores.right);
    EXPECT_EQ(groups.scores.residual, whole.scores.residual);
    EXPECT_EQ(groups.scores.answers, whole.scores.answers);
  }
}

TEST(Evaluate, TheReferenceKernelsGiveTheSameCurves) {
  const Dataset data = planted_data(40);
  const auto model = random_looped(data.task(), {1, 2, 3});
  EvaluateOptions o;
  o.depths = {1, 8};
  const DepthCurves fast = evaluate(*model, data, o);
  const cpu::Isa best = cpu::isa();
  cpu::use_isa(cpu::Isa::portable);
  const DepthCurves plain = evaluate(*model, data, o);
  cpu::use_isa(best);
  for (size_t m = 0; m < 3; ++m) {
    for (size_t d = 0; d < 2; ++d) {
      EXPECT_NEAR(plain.residual[m][d], fast.residual[m][d], 1e-4 * fast.residual[m][d] + 1e-6);
      EXPECT_NEAR(plain.accuracy[m][d], fast.accuracy[m][d], 0.01);
    }
  }
}

TEST(EvaluateHalting, ARuleThatNeverFiresEqualsTheFullDepth) {
  const Dataset data = planted_data(17);
  const auto model = random_looped(data.task(), {4, 6});
  HaltOptions o;
  o.rule = {Halt::Kind::change, -1, 1};
  o.max_depth = 5;
  o.run.batch = 8;
  const HaltResult h = evaluate_halting(*model, data, o);
  EvaluateOptions full;
  full.depths = {5};
  const DepthCurves c = evaluate(*model, data, full);
  for (size_t m = 0; m < 2; ++m) {
    EXPECT_EQ(h.accuracy[m], c.accuracy[m][0]);
    EXPECT_EQ(h.exact[m], c.exact[m][0]);
    EXPECT_EQ(h.mean_updates[m], 5);
    EXPECT_EQ(h.never[m], 1);
  }
  EXPECT_EQ(h.work_saved, 0);
}

TEST(EvaluateHalting, ARuleThatAlwaysFiresStopsAtTheSmallestDepth) {
  const Dataset data = planted_data(17);
  const auto model = random_looped(data.task(), {4, 6});
  HaltOptions o;
  o.rule = {Halt::Kind::change, 1e9, 2};
  o.max_depth = 8;
  const HaltResult h = evaluate_halting(*model, data, o);
  EvaluateOptions full;
  full.depths = {2};
  const DepthCurves c = evaluate(*model, data, full);
  for (size_t m = 0; m < 2; ++m) {
    EXPECT_EQ(h.mean_updates[m], 2);
    EXPECT_EQ(h.saved[m], 0.75);
    EXPECT_EQ(h.accuracy[m], c.accuracy[m][0]);
    EXPECT_EQ(h.count[m][1], 17);
  }
  EXPECT_EQ(h.work_saved, 0.75);
}

TEST(EvaluateHalting, LevelsOfDifficultyAddUpToTheWhole) {
  const Dataset data = planted_data(40);
  const auto model = random_looped(data.task(), {4, 6});
  HaltOptions o;
  o.rule = {Halt::Kind::change, 0.2, 1};
  o.max_depth = 12;
  const HaltResult h = evaluate_halting(*model, data, o);
  ASSERT_GT(h.by_difficulty.size(), 1u);
  for (size_t m = 0; m < 2; ++m) {
    double updates = 0, exact = 0;
    int64_t items = 0;
    for (const HaltDifficulty& d : h.by_difficulty) {
      items += d.items;
      updates += d.mean_updates[m] * static_cast<double>(d.items);
      exact += d.exact[m] * static_cast<double>(d.items);
    }
    EXPECT_EQ(items, 40);
    EXPECT_NEAR(updates / 40, h.mean_updates[m], 1e-9);
    EXPECT_NEAR(exact / 40, h.exact[m], 1e-9);
  }
}

/// Permutation powers of 1 to 5 hops; every example needs as many updates as it has hops.
Dataset graded_data() {
  TaskOptions options;
  options.size = 6;
  options.hops = 5;
  return {make_task("permutation_power", options), Split::test, 0, 41, true};
}

/// Every item is scored after the updates of its own difficulty, by the full evaluation's scores.
void expect_oracle(Reasoner& model, bool stationary) {
  const Dataset data = graded_data();
  HaltOptions o;
  o.rule = {Halt::Kind::oracle, 1, 2};
  o.max_depth = 4;
  EvaluateOptions full;
  full.depths = {1, 2, 3, 4};
  const ItemScores scores = evaluate(model, data, full).scores;
  for (const int threads : {1, 2, 4}) {
    o.run.threads = threads;
    o.run.batch = 5;
    const HaltResult h = evaluate_halting(model, data, o);
    for (int64_t m = 0; m < model.models(); ++m) {
      double right = 0, asked = 0, made = 0;
      for (int64_t i = 0; i < data.size(); ++i) {
        const int64_t d = std::clamp(data[i].difficulty, 2, 4) - 1;
        right += scores.right[scores.at(d, m, i)];
        asked += scores.answers[static_cast<size_t>(d * scores.items + i)];
        made += static_cast<double>(d + 1);
      }
      const auto k = static_cast<size_t>(m);
      EXPECT_EQ(h.accuracy[k], right / asked) << threads << " threads";
      EXPECT_EQ(h.mean_updates[k], made / 41);
      if (stationary) {
        EXPECT_NEAR(h.work_saved, h.saved[k], 1e-12);
      } else {
        EXPECT_LT(h.work_saved, h.saved[k]) << "in step some places fall idle";
        EXPECT_GT(h.work_saved, 0);
      }
    }
  }
}

TEST(EvaluateHalting, TheOracleStopsByDifficultyOnAnyNumberOfThreads) {
  const Dataset data = graded_data();
  expect_oracle(*random_looped(data.task(), {4, 6, 9}), true);
}

TEST(EvaluateHalting, AModelThatIsNotStationaryGoesInStep) {
  const Dataset data = graded_data();
  ModelArgs args;
  args.model.name = "feedforward";
  args.model.width = 16;
  args.model.heads = 2;
  args.model.hidden = 12;
  args.model.depth = 4;
  args.task = data.task().spec();
  args.seeds = {4, 6};
  expect_oracle(*make_reasoner(args), false);
}

TEST(EvaluateHalting, TheMostConfidentReadoutSavesNothing) {
  const Dataset data = planted_data(17);
  const auto model = planted_model({4, 6}, {.silent_from = 3});  // then all answers are alike
  HaltOptions o;
  o.rule = {Halt::Kind::confident};
  o.max_depth = 5;
  const HaltResult h = evaluate_halting(*model, data, o);
  for (size_t m = 0; m < 2; ++m) {
    EXPECT_EQ(h.mean_updates[m], 5);
    EXPECT_EQ(h.saved[m], 0);
    EXPECT_EQ(h.never[m], 1);
    EXPECT_EQ(h.count[m][0], 17) << "of equals the first";
    EXPECT_EQ(h.accuracy[m], 1);
  }
  EXPECT_EQ(h.work_saved, 0);
}

/// The planted task without its difficulty.
class Ungraded : public Task {
 public:
  Ungraded() : spec_(task_->spec()) { spec_.difficulty = ""; }
  const TaskSpec& spec() const override { return spec_; }
  Example example(Split split, uint64_t seed, uint64_t index) const override {
    return task_->example(split, seed, index);
  }
  std::string token_text(int id) const override { return task_->token_text(id); }

 private:
  std::shared_ptr<const Task> task_ = interp_test::planted_task();
  TaskSpec spec_;
};

TEST(EvaluateHalting, TheOracleIsRefusedWhereNothingIsGraded) {
  const Dataset data(std::make_shared<Ungraded>(), Split::test, 0, 4);
  const auto model = random_looped(data.task(), {4});
  HaltOptions o;
  o.rule = {Halt::Kind::oracle, 1};
  o.max_depth = 3;
  try {
    evaluate_halting(*model, data, o);
    FAIL() << "no item has a difficulty";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("grades none"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace sv
