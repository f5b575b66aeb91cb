// What gpu_check does with kernels, on the executor in place of a GPU: it passes what is right, and
// says which kernel is wrong, races or faults. gpu_parts_test.cpp has the other parts.
#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "gpu/report.h"
#include "gpu/rows.h"
#include "kernel_states_values.h"
#include "kernels/simt/simt_device.h"
#include "sanitizers.h"
#include "simt/device_ops.h"

namespace sv::gpu {
namespace {

CheckOptions quick() {
  CheckOptions o;
  o.repeats = 2;
  o.dims = {.M = 2, .B = 1, .T = 4, .d = 8, .out = 8, .heads = 2, .hidden = 8, .vocab = 8};
  return o;
}

/// The executor with one fault planted: a launch of `kernel` that is the n-th is spoiled.
class Faulty : public simt::SimtDevice {
 public:
  enum class Kind { wrong, throws };
  Faulty(std::string kernel, int nth, Kind kind)
      : kernel_(std::move(kernel)), nth_(nth), kind_(kind) {}
  void launch(const char* kernel,
              const LaunchShape& shape,
              const void* args,
              size_t args_bytes) override {
    if (kernel == kernel_ && seen_++ >= nth_) {
      if (kind_ == Kind::throws) {
        throw Error("planted fault", Exit::environment);
      }
      return;  // what it should have written keeps its sentinel
    }
    simt::SimtDevice::launch(kernel, shape, args, args_bytes);
  }

 private:
  std::string kernel_;
  int nth_;
  Kind kind_;
  int seen_ = 0;
};

const KernelReport& kernel_of(const Report& report, const std::string& name) {
  for (const KernelReport& k : report.kernels) {
    if (k.kernel == name) {
      return k;
    }
  }
  throw Error("no report of " + name);
}

TEST(GpuCheck, PassesEveryKernelOnTheExecutor) {
  simt::SimtDevice device;
  CheckOptions options = quick();
  options.tiny = kSanitized;  // where simt_test runs every case
  Runs runs;
  const Report report = check_device(device, options, runs);
  EXPECT_TRUE(report.passed()) << report_table(report);
  if (!kSanitized) {
    EXPECT_EQ(report.kernels.size(), kernel_states::kRows.size()) << "a kernel that no case runs";
  }
  for (const KernelReport& k : report.kernels) {
    EXPECT_GT(k.cases, 0) << k.kernel;
    EXPECT_EQ(k.repeats, 2) << k.kernel;
    EXPECT_LE(k.error, 1) << k.kernel;
    EXPECT_TRUE(device.kernels().has(k.kernel)) << k.kernel;
  }
  EXPECT_EQ(runs.value("check.repeats"), kSanitized ? 0 : 2);
  EXPECT_EQ(runs.met(), kSanitized) << "the goal is 100";
  EXPECT_EQ(device.memory().count(), 0u);
}

TEST(GpuCheck, NamesTheKernelThatIsWrong) {
  Faulty device("rmsnorm_dx", 0, Faulty::Kind::wrong);
  CheckOptions options = quick();
  options.only = "rmsnorm";
  Runs runs;
  const Report report = check_device(device, options, runs);
  EXPECT_FALSE(report.passed());
  EXPECT_GT(kernel_of(report, "rmsnorm_dx").error, 1);
  EXPECT_NE(kernel_of(report, "rmsnorm_dx").problem.find("dx (added)["), std::string::npos);
  EXPECT_EQ(kernel_of(report, "rmsnorm_forward").problem, "");
}

TEST(GpuCheck, SeesARunWithOtherBits) {
  // The first three launches judge the smallest case; the next is the first repeat.
  Faulty device("rmsnorm_forward", 3, Faulty::Kind::wrong);
  CheckOptions options = quick();
  options.only = "rmsnorm";
  options.tiny = true;
  options.large = false;
  Runs runs;
  const Report report = check_device(device, options, runs);
  EXPECT_FALSE(report.passed());
  const KernelReport& k = kernel_of(report, "rmsnorm_forward");
  EXPECT_NE(k.problem.find("other bits"), std::string::npos) << k.problem;
  EXPECT_LE(k.error, 1);
}

TEST(GpuCheck, AFaultOfTheDeviceEndsTheCheck) {
  Faulty device("rmsnorm_dx", 0, Faulty::Kind::throws);
  CheckOptions options = quick();
  options.only = "rmsnorm";
  Runs runs;
  const Report report = check_device(device, options, runs);
  EXPECT_FALSE(report.passed());
  EXPECT_NE(report_table(report).find("planted fault"), std::string::npos);
  EXPECT_EQ(kernel_of(report, "rmsnorm_dx").problem, "planted fault");
}

TEST(GpuCheck, RefusesAnOpWithoutKernels) {
  simt::SimtDevice device;
  CheckOptions options = quick();
  options.only = "rmsnrm";
  Runs runs;
  EXPECT_THROW(check_device(device, options, runs), Error);
}

TEST(GpuCheck, RowsHoldWhatWasFound) {
  simt::SimtDevice device;
  CheckOptions options = quick();
  options.only = "rmsnorm";
  options.tiny = true;
  options.large = false;
  Runs runs;
  const Report report = check_device(device, options, runs);
  const Stamp stamp{"GPU", "13.0", "abc", "2026-01-31"};
  Rows rows;
  rows.put(report, stamp);
  auto doc = nlohmann::json::parse(rows.text());
  ASSERT_EQ(doc["kernels"].size(), report.kernels.size());
  for (const auto& row : doc["kernels"]) {
    EXPECT_EQ(row["result"], "pass");
    EXPECT_EQ(row["source"].get<std::string>().size(), 64u);
    EXPECT_EQ(row["gpu"], "GPU");
    EXPECT_EQ(row["microseconds"], 0.0);
  }
  // Times are another program's: they find their rows, and those without one have no place.
  rows.put({{"rmsnorm_dx", {2e-6, 500}}, {"rope_rotate", {1e-6, 1}}}, 1e12);
  doc = nlohmann::json::parse(rows.text());
  EXPECT_EQ(doc["kernels"].size(), report.kernels.size());
  for (const auto& row : doc["kernels"]) {
    EXPECT_EQ(row["of_copy"], row["kernel"] == "rmsnorm_dx" ? 0.5 : 0.0);
  }
}

}  // namespace
}  // namespace sv::gpu
