// The measured limits: of the right order, and not below what an ordinary loop reaches.
#include "kernels/cpu/machine.h"

#include <gtest/gtest.h>

#include <chrono>
#include <vector>

namespace sv::cpu {
namespace {

TEST(Machine, ThePeakIsAboveAChainThatWaitsForEachStep) {
  constexpr int kSteps = 20'000'000;
  volatile float start = 0.5F;
  float x = start;
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < kSteps; ++i) {
    x = x * 0.999F + 0.001F;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  start = x;
  // One lane that waits about eight cycles a step; the peak fills all lanes and all ports.
  EXPECT_GT(fma_peak(1), 4 * 2e-9 * kSteps / took.count());
}

TEST(Machine, TheBandwidthIsThatOfMemoryNotOfNothing) {
  const double gbs = stream_bandwidth(1);
  EXPECT_GT(gbs, 0.2);   // slower than any DRAM of this century
  EXPECT_LT(gbs, 2000);  // faster than any: the loop was dropped
}

}  // namespace
}  // namespace sv::cpu
