// The other parts of gpu_check and gpu_bench, on the executor at tiny sizes: limits and rates,
// stress, training, packs, and the file that their numbers go to.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "data/temp_folder.h"
#include "gpu/limits.h"
#include "gpu/limits_body.h"
#include "gpu/op_time.h"
#include "gpu/packing.h"
#include "gpu/rows.h"
#include "gpu/stress.h"
#include "gpu/train_check.h"
#include "kernel_states_values.h"
#include "kernels/simt/simt_device.h"
#include "kernels/simt/thread_context.h"
#include "sanitizers.h"
#include "simt/device_ops.h"

namespace sv::gpu {
namespace {

/// The executor as a small GPU, with the kernels of the limits, which may be made to do nothing.
class Small : public simt::SimtDevice {
 public:
  Small() {
    set_processors(2);
    limits_kernels(kernels());
  }
  void launch(const char* kernel,
              const LaunchShape& shape,
              const void* args,
              size_t args_bytes) override {
    ++seen;
    last = kernel;
    if (kernel == broken && seen > healthy) {
      return;
    }
    simt::SimtDevice::launch(kernel, shape, args, args_bytes);
  }
  std::string broken, last;
  int64_t seen = 0, healthy = 0;
};

LimitOptions quick_limits() {
  LimitOptions o;
  o.seconds = 1e-5;
  o.copy_bytes = 64 << 10;
  o.blocks = 1;
  o.steps = 12;
  o.l2_bytes = 32 << 10;
  o.rounds = 3;
  o.latency_steps = 20;
  o.near_bytes = 4096;
  o.far_bytes = 8192;
  return o;
}

TEST(GpuBench, MeasuresEveryLimitThatAnExecutorHas) {
  Small device;
  Runs runs;
  const Limits limits = measure_rates(device, quick_limits(), runs);
  measure_latencies(device, quick_limits(), runs);
  EXPECT_EQ(limits.by_unit("of limits.tf32"), limits.tf32);
  EXPECT_EQ(limits.by_unit("GB/s"), 0);
  for (const char* name : {"copy", "fma", "tf32", "bf16", "l2", "shared", "launch"}) {
    EXPECT_GT(runs.value(std::string("limits.") + name), 0) << name;
  }
  EXPECT_EQ(runs.all().size(), 12u);  // and five latencies, which may be 0 at this size
  EXPECT_EQ(device.memory().count(), 0u);
}

TEST(GpuBench, ALimitWhoseKernelDoesNothingIsNoLimit) {
  for (const char* kernel : {"limit_copy",
                             "limit_fma",
                             "limit_mma_tf32",
                             "limit_mma_bf16",
                             "limit_l2",
                             "limit_shared",
                             "limit_barrier",
                             "limit_shuffle",
                             "limit_chase",
                             "limit_empty",
                             "limit_grid_barrier"}) {
    Small device;
    device.broken = kernel;
    Runs runs;
    const auto all = [&] {
      measure_rates(device, quick_limits(), runs);
      measure_latencies(device, quick_limits(), runs);
    };
    try {
      all();
      FAIL() << kernel << " was believed";
    } catch (const Error& e) {
      EXPECT_EQ(std::string(e.what()), std::string(kernel) + " gives a wrong result");
      EXPECT_EQ(e.exit, Exit::failed);
    }
  }
}

TimeOptions quick_times() {
  TimeOptions o;
  o.seconds = 1e-5;
  o.dims = {.M = 2, .B = 1, .T = 4, .d = 8, .out = 8, .heads = 2, .hidden = 8, .vocab = 8};
  o.adamw_out = o.adamw_d = 8;
  o.large = {1, 520, 36, 36};
  o.small = {1, 6, 8, 8};
  o.few = 3;
  return o;
}

TEST(GpuBench, TimesAnOpAndEachOfItsKernels) {
  Small device;
  Recorder recorder(device);
  const OpTime time = time_op(recorder, "rmsnorm", quick_times());
  ASSERT_EQ(time.calls.size(), 2u);
  EXPECT_EQ(time.calls[0].name, "rmsnorm.forward");
  EXPECT_EQ(time.calls[1].name, "rmsnorm.vjp");
  for (const char* kernel : {"rmsnorm_forward", "rmsnorm_dx", "rmsnorm_dgain", "column_sums"}) {
    ASSERT_TRUE(time.kernels.contains(kernel)) << kernel;
    EXPECT_GT(time.kernels.at(kernel).seconds, 0) << kernel;
  }
}

TEST(GpuBench, TimesEveryKernelOfMatmul) {
  Small device;
  Recorder recorder(device);
  const OpTime time = time_op(recorder, "matmul", quick_times());
  for (const kernel_states::Row& k : kernel_states::kRows) {
    EXPECT_TRUE(std::string(k.op) != "matmul" || time.kernels.contains(k.kernel)) << k.kernel;
  }
}

// Every goal that is a share of a limit is that of a call that is timed.
TEST(GpuBench, JudgesTheCallsThatHaveGoals) {
  const Limits limits{100, 10, 20, 40};
  Runs runs;
  for (const char* name : {"rmsnorm.forward",
                           "rmsnorm.vjp",
                           "layernorm.forward",
                           "layernorm.vjp",
                           "adamw.forward",
                           "softmax_xent.forward",
                           "softmax_xent.vjp",
                           "attention_fused.forward",
                           "attention_fused.vjp",
                           "attention_fused.bf16",
                           "matmul.small_f32",
                           "matmul.small_tf32",
                           "matmul.small_bf16",
                           "matmul.large_f32",
                           "matmul.large_tf32",
                           "matmul.large_bf16",
                           "matmul.cublaslt_tf32",
                           "matmul.cublaslt_bf16",
                           "rope.forward"}) {
    add_rate({name, 2, 160, 8}, limits, runs);
  }
  size_t shares = 0;
  for (const kernel_states::Goal& goal : kernel_states::kGoals) {
    shares += std::string(goal.unit).starts_with("of limits.") ? 1 : 0;
  }
  EXPECT_EQ(runs.all().size(), shares);
  EXPECT_EQ(runs.value("rmsnorm.forward"), 0.8);
  EXPECT_EQ(runs.value("attention_fused.vjp"), 0.4);
  EXPECT_EQ(runs.value("matmul.small_bf16"), 0.1);
  EXPECT_FALSE(runs.met());
  EXPECT_THROW(add_rate({"rmsnorm.vjp", 1, 1, 1}, {}, runs), Error) << "no limit was measured";
}

TEST(GpuBench, TheLibraryIsTimedOnlyWhereThereIsOne) {
  Small device;
  Recorder recorder(device);
  EXPECT_TRUE(time_library(recorder, quick_times()).empty());
}

StressOptions quick_stress() {
  return {.launches = 60, .calls = kSanitized ? 3 : 6, .together = 4, .most = 8, .seed = 4};
}

TEST(GpuCheck, StressPassesWhatIsRight) {
  Small device;
  Recorder recorder(device);
  Runs runs;
  EXPECT_EQ(stress(recorder, quick_stress(), runs), "");
  EXPECT_GE(runs.value("stress.launches"), 60);
  EXPECT_EQ(device.memory().count(), 0u);
}

TEST(GpuCheck, StressSeesAResultThatIsLateOrWrong) {
  Small device;
  Recorder recorder(device);
  StressOptions o = quick_stress();
  o.launches = 0;
  Runs runs;
  stress(recorder, o, runs);
  device.broken = device.last;
  device.healthy = device.seen;  // all of the first look; then that kernel does nothing
  device.seen = 0;
  o.launches = 400;
  EXPECT_NE(stress(recorder, o, runs).find("has other bits after"), std::string::npos);
  device.healthy = 0;
  EXPECT_NE(stress(recorder, o, runs), "") << "and from the start";
}

TrainOptions quick_training() {
  TrainOptions o;
  o.setup = models_test::tiny_case();
  o.setup.train.ema = 0.9;
  o.seeds = {3, 7};
  o.steps = kSanitized ? 1 : 3;
  o.leg = 1;
  return o;
}

TEST(GpuCheck, FollowsTheCurveInEveryPrecision) {
  Small device;
  Runs runs;
  check_curves(device, quick_training(), runs);
  EXPECT_LE(runs.value("train.curve_f32"), 1e-3);
  // Operands of 7 and 10 bits: that many times the error of f32, and less than all of the loss.
  EXPECT_GT(runs.value("train.curve_bf16"), runs.value("train.curve_tf32"));
  EXPECT_GT(runs.value("train.curve_tf32"), runs.value("train.curve_f32"));
  EXPECT_LT(runs.value("train.curve_bf16"), 0.1);
}

TEST(GpuCheck, ResumesOnTheDeviceAndCrossesBothWays) {
  Small device;
  Runs runs;
  check_crossings(device, quick_training(), runs);
  EXPECT_EQ(runs.value("train.resume"), 0);
  EXPECT_LE(runs.value("train.crossing"), 1e-3);
  EXPECT_TRUE(runs.met());
}

TEST(GpuCheck, ACurveThatLeavesTheCpusIsSeen) {
  Small device;
  device.broken = "rope_rotate";  // q and k stay what memory held
  TrainOptions o = quick_training();
  o.setup.model.positions = "rope";
  Runs runs;
  check_curves(device, o, runs);
  EXPECT_FALSE(runs.met());
}

TEST(GpuBench, ComparesAPackWithOneSeed) {
  Small device;
  PackingOptions o;
  o.shape = {"tiny", 8, 1, 14, 2, 8, 2};
  o.seeds = 3;
  o.loops = 2;
  o.batches[0] = 2;
  o.batches[1] = 3;
  o.seconds = 1e-5;
  Runs runs;
  measure_packing(device, o, runs);
  // Not how fast: other work may run beside this test.
  EXPECT_GT(runs.value("pack.step_1"), 0);
  EXPECT_NEAR(runs.value("pack.batch_16"),
              3 * runs.value("pack.step_1") / runs.value("pack.step_64"),
              1e-9);
  EXPECT_GT(runs.value("pack.batch_64"), 0);
}

TEST(GpuRuns, KnowTheirGoals) {
  Runs runs;
  runs.add("pack.batch_16", 20);
  runs.add("train.resume", 0);
  EXPECT_TRUE(runs.met());
  runs.add("pack.batch_16", 19.9);
  EXPECT_FALSE(runs.met());
  EXPECT_EQ(runs.all().size(), 2u);
  EXPECT_NE(runs.table().find("goal >= 20: NOT MET"), std::string::npos) << runs.table();
  EXPECT_THROW(runs.add("pack.batch_17", 1), Error);
  EXPECT_THROW(runs.add("pack.batch_16", std::nan("")), Error);
}

TEST(GpuRuns, EveryPartAddsToOneFile) {
  const TempFolder folder;
  const std::string path = folder / "rows.json";
  const Stamp stamp = stamp_of("cuda:0 NVIDIA H100", "13.0 (driver 13.1)");
  EXPECT_EQ(stamp.gpu, "NVIDIA H100");
  for (const auto& [name, value] : {std::pair{"pack.batch_16", 25.0}, {"limits.copy", 4000.0}}) {
    Runs runs;
    runs.add(name, value);
    Rows rows = Rows::load(path);
    rows.put(runs, stamp);
    rows.save(path);
  }
  const auto doc = nlohmann::json::parse(Rows::load(path).text());
  ASSERT_EQ(doc["runs"].size(), 2u);
  EXPECT_EQ(doc["runs"][1]["name"], "pack.batch_16");
  EXPECT_EQ(doc["runs"][1]["goal"], ">= 20");
  EXPECT_EQ(doc["runs"][1]["met"], true);
  EXPECT_EQ(doc["runs"][1]["toolkit"], "13.0 (driver 13.1)");
  EXPECT_FALSE(doc["runs"][1]["commit"].get<std::string>().empty());
  std::ofstream(path) << "{\"schema\": 1}";
  EXPECT_THROW(Rows::load(path), Error);
}

}  // namespace
}  // namespace sv::gpu
