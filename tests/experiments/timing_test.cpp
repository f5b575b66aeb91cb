// Timing and the roofline: medians and quartiles, the limit that holds, and what copies reach.
#include "experiments/timing/timing.h"

#include <gtest/gtest.h>

#include <thread>

#include "core/check.h"
#include "experiments/timing/model_timing.h"

namespace sv::bench {
namespace {

constexpr Limits kLimits{.gflops = 100, .gbs = 10};

TEST(BenchTiming, MedianAndQuartilesDoNotDependOnTheOrder) {
  const Timing t = timing_of({5, 1, 4, 2, 3});
  EXPECT_EQ(t.median, 3);
  EXPECT_EQ(t.low, 2);
  EXPECT_EQ(t.high, 4);
  EXPECT_EQ(t.repetitions, 5);
  EXPECT_EQ(timing_of({1, 2}).median, 1.5);
  EXPECT_THROW(timing_of({}), Error);
}

TEST(BenchTiming, ACallIsTimedAtLeastSevenTimesAndEachRepetitionIsToldOf) {
  std::vector<int> heard;
  const Timing t = time_call([] { std::this_thread::sleep_for(std::chrono::milliseconds(3)); },
                             [&](int done) { heard.push_back(done); });
  EXPECT_GE(t.repetitions, 7);
  ASSERT_EQ(heard.size(), static_cast<size_t>(t.repetitions));
  EXPECT_EQ(heard.back(), t.repetitions);
  EXPECT_GE(t.median, 0.003);
  EXPECT_LE(t.low, t.median);
  EXPECT_LE(t.median, t.high);
}

TEST(BenchTiming, TheLimitIsTheLowerOfPeakAndBandwidth) {
  const Mark slanted{"a", 2e9, 1e9, {1, 1, 1, 9}}, flat{"b", 50e9, 1e9, {1, 1, 1, 9}};
  EXPECT_DOUBLE_EQ(slanted.limit(kLimits), 20);  // 2 FLOP per byte x 10 GB/s
  EXPECT_DOUBLE_EQ(slanted.gflops(), 2);
  EXPECT_DOUBLE_EQ(slanted.reached(kLimits), 0.1);
  EXPECT_DOUBLE_EQ(flat.limit(kLimits), 100);
  EXPECT_DOUBLE_EQ(flat.reached(kLimits), 0.5);
}

TEST(BenchTiming, ACopyIsComparedWithTheBandwidth) {
  const Mark copy{"c", 0, 5e9, {1, 1, 1, 9}};
  EXPECT_DOUBLE_EQ(copy.reached(kLimits), 0.5);
  const std::string table = marks_table({copy}, kLimits);
  EXPECT_NE(table.find("10 GB/s"), std::string::npos) << table;
  EXPECT_EQ(table.find("cache"), std::string::npos) << table;
}

TEST(BenchTiming, TheTableSaysWhenACacheServed) {
  const Mark fast{"c", 0, 20e9, {1, 1, 1, 9}};
  EXPECT_NE(marks_table({fast}, kLimits).find("a cache serves"), std::string::npos);
}

TEST(BenchTiming, TheTableSaysWhenThePeakCannotBeRight) {
  const Mark fast{"c", 200e9, 1e9, {1, 1, 1, 9}};
  const std::string table = marks_table({fast}, kLimits);
  EXPECT_NE(table.find("slowed the measurement of the peak"), std::string::npos);
  EXPECT_EQ(table.find("cache"), std::string::npos);
}

TEST(BenchTiming, TheBetterOfTwoMeasurementsOfTheMachineCounts) {
  const Limits limits = machine_limits(1, {.gflops = 1e9, .gbs = 0});
  EXPECT_EQ(limits.gflops, 1e9);
  EXPECT_GT(limits.gbs, 0);
}

TEST(BenchTiming, AnOpAndItsVjpAreBothTimed) {
  const OpMarks marks = time_op("matmul", {.M = 2, .B = 3, .T = 5, .d = 8}, DType::f64, 1, true);
  EXPECT_EQ(marks.forward.flops, 2.0 * 2 * 15 * 8 * 48);
  EXPECT_EQ(marks.forward.bytes, 8.0 * 2 * (15 * 8 + 48 * 8 + 15 * 48));
  EXPECT_EQ(marks.vjp.flops, 2 * marks.forward.flops);
  // x, w and dy are read, dx and dw are written.
  EXPECT_EQ(marks.vjp.bytes, 8.0 * 2 * (2 * 15 * 8 + 2 * 48 * 8 + 15 * 48));
  EXPECT_GT(marks.vjp.seconds.median, 0);
  EXPECT_EQ(time_op("adamw", {}, DType::f32, 1, true).vjp.name, "");
}

TEST(BenchTiming, AModelCountsItsPackItsLoopsAndThreeTimesForTraining) {
  const Shape shape{"", 16, 1, 16, 4, 24, 2};
  LoopTiming one(shape, 1, 4, 2, 1), two(shape, 2, 4, 6, 1);
  EXPECT_DOUBLE_EQ(two.flop(), 6 * one.flop());
  one.run();
  TrainTiming train(shape, 1, 4, 2, 1);
  EXPECT_DOUBLE_EQ(train.flop(), 3 * one.flop());
  EXPECT_DOUBLE_EQ(train.bytes(), 3 * one.bytes());
  train.step();
  // One iteration of one token: q, k, v, o 4 d^2, gate, up and down 3 d F, scores and mix 2 T d.
  EXPECT_DOUBLE_EQ(one.flop(), 4.0 * 16 * 2 * 2 * (4 * 16 * 16 + 3 * 16 * 24 + 2 * 16 * 16));
}

}  // namespace
}  // namespace sv::bench
