// What the executor costs: prints the figures of kernels/README.md. The bounds are wide; they only
// catch a scheduler whose cost grows with the square of the threads.
#include <chrono>
#include <cstdio>

#include "simt/planted.h"

namespace sv::simt {
namespace {

constexpr int kRounds = 2000;

/// Microseconds of one launch of f on one OS thread, the best of five.
template <class F>
double launch_time(const LaunchShape& shape, F f, SwitchKind kind = default_switch()) {
  SimtDevice device(1, kind);
  const DeviceFloats memory(device, std::vector<float>(4096));
  double best = 1e30;
  for (int i = 0; i < 5; ++i) {
    const auto start = std::chrono::steady_clock::now();
    run_planted(device, shape, f, {memory.data(), memory.data(), nullptr});
    const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
    best = std::min(best, took.count());
  }
  return best;
}

/// Prints and checks microseconds.
void report(const char* what, double microseconds, double bound) {
  std::printf("%-40s %9.3f us\n", what, microseconds);
  EXPECT_LT(microseconds, bound) << what;
}

TEST(SimtCost, OfABarrier) {
  const auto barriers = [](auto& ctx, const PlantedArgs&) {
    for (int i = 0; i < kRounds; ++i) {
      ctx.barrier();
    }
  };
  for (const int threads : {32, 128, 256, 1024}) {
    const std::string what = "barrier of " + std::to_string(threads) + " threads";
    report(what.c_str(), launch_time({.block = threads}, barriers) / kRounds, 2.0 * threads);
  }
  report("barrier of 256 threads, ucontext",
         launch_time({.block = 256}, barriers, SwitchKind::ucontext) / kRounds,
         2000);
}

TEST(SimtCost, OfAWarpOp) {
  report("shuffle, per warp",
         launch_time({.block = 128},
                     [](auto& ctx, const PlantedArgs& a) {
                       float x = static_cast<float>(ctx.lane());
                       for (int i = 0; i < kRounds; ++i) {
                         x = ctx.shfl_xor(x, 1) + 1.0f;
                       }
                       a.out[ctx.thread()] = x;
                     }) /
             (4 * kRounds),
         100);
  report("mma_bf16_16816, per warp",
         launch_time({.block = 128},
                     [](auto& ctx, const PlantedArgs& args) {
                       float d[4] = {};
                       const uint32_t a[4] = {}, b[2] = {};
                       for (int i = 0; i < kRounds; ++i) {
                         ctx.mma_bf16_16816(d, a, b);
                       }
                       args.out[ctx.thread()] = d[0];
                     }) /
             (4 * kRounds),
         200);
}

TEST(SimtCost, OfABlockAndALaunch) {
  const auto nothing = [](auto&, const PlantedArgs&) {};
  report("empty block of 256 threads",
         launch_time({.grid_x = kRounds, .block = 256}, nothing) / kRounds,
         2000);
  report("launch of one block of 32 threads", launch_time({.block = 32}, nothing), 20000);
}

}  // namespace
}  // namespace sv::simt
