// What a body may say, on the executor: warp ops, barriers, asynchronous copies, global memory; the
// same result on any number of OS threads, and races found by other schedules.
#include <algorithm>
#include <numeric>

#include "kernels/simt/reduce.h"
#include "sanitizers.h"
#include "simt/planted.h"

namespace sv::simt {
namespace {

/// Both kinds of switch, and every schedule.
template <class F>
void everywhere(F&& law) {
  for (const SwitchKind kind : {SwitchKind::own, SwitchKind::ucontext}) {
    if (kind == SwitchKind::own && default_switch() != SwitchKind::own) {
      continue;
    }
    for (const Schedule& schedule : schedules(kSanitized ? 1 : 4)) {
      SCOPED_TRACE(schedule.text() + (kind == SwitchKind::own ? "" : ", ucontext"));
      SimtDevice device(2, kind);
      device.set_schedule(schedule);
      law(device);
    }
  }
}

/// What f writes to out, `count` floats that start as 0.
template <class F>
std::vector<float> result_of(
    SimtDevice& device, const LaunchShape& shape, int count, F f, std::vector<float> in = {0}) {
  const DeviceFloats from(device, in), to(device, std::vector<float>(static_cast<size_t>(count)));
  run_planted(device, shape, f, {from.data(), to.data(), nullptr});
  return to.read();
}

TEST(SimtExecutor, PassesValuesBetweenLanes) {
  everywhere([](SimtDevice& device) {
    const auto got = result_of(device, {.block = 64}, 64 * 4, [](auto& ctx, const PlantedArgs& a) {
      float* out = a.out + 4 * ctx.thread();
      const auto x = static_cast<float>(ctx.thread());
      out[0] = ctx.shfl_xor(x, 5);
      out[1] = ctx.shfl_down(x, 3);
      out[2] = ctx.shfl(x, 31 - ctx.lane());
      out[3] = static_cast<float>(ctx.shfl_xor(static_cast<double>(x) + 0.5, 1));
    });
    for (int t = 0; t < 64; ++t) {
      const int lane = t % 32, base = t - lane;
      const float* out = &got[static_cast<size_t>(4 * t)];
      ASSERT_EQ(out[0], base + (lane ^ 5));
      ASSERT_EQ(out[1], lane + 3 < 32 ? t + 3 : t);
      ASSERT_EQ(out[2], base + 31 - lane);
      ASSERT_EQ(out[3], base + (lane ^ 1) + 0.5);
    }
  });
}

TEST(SimtExecutor, Votes) {
  everywhere([](SimtDevice& device) {
    const auto got = result_of(device, {.block = 96}, 96 * 3, [](auto& ctx, const PlantedArgs& a) {
      float* out = a.out + 3 * ctx.thread();
      const bool vote = ctx.warp() == 2 || (ctx.warp() == 1 && ctx.lane() == 7);
      out[0] = std::bit_cast<float>(ctx.ballot(vote));
      out[1] = ctx.any(vote);
      out[2] = ctx.all(vote);
    });
    for (size_t t = 0; t < 96; ++t) {
      const size_t warp = t / 32;
      const uint32_t ballot = warp == 0 ? 0u : warp == 1 ? 1u << 7 : ~0u;
      ASSERT_EQ(std::bit_cast<uint32_t>(got[3 * t]), ballot);
      ASSERT_EQ(got[3 * t + 1], warp >= 1);
      ASSERT_EQ(got[3 * t + 2], warp == 2);
    }
  });
}

TEST(SimtExecutor, SumsAndMaximaHaveOneOrder) {
  std::vector<float> first;
  everywhere([&](SimtDevice& device) {
    std::vector<float> in(256);
    for (size_t i = 0; i < in.size(); ++i) {
      in[i] = 1.0f / static_cast<float>(i + 1);
    }
    const auto got = result_of(
        device,
        {.block = 256, .shared_bytes = kReduceBytes},
        512,
        [](auto& ctx, const PlantedArgs& a) {
          const float x = a.in[ctx.thread()];
          a.out[ctx.thread()] = block_sum(ctx, x, 0);
          a.out[256 + ctx.thread()] = block_max(ctx, ctx.thread() == 77 ? 5.0f : x, 0);
        },
        in);
    const double sum = std::accumulate(in.begin(), in.end(), 0.0);
    ASSERT_NEAR(got[0], sum, 1e-5);
    ASSERT_EQ(got[256], 5.0f);
    ASSERT_EQ(std::count(got.begin(), got.begin() + 256, got[0]), 256) << "each thread has it";
    first = first.empty() ? got : first;
    ASSERT_EQ(got, first);
  });
}

TEST(SimtExecutor, MaximaKeepNan) {
  SimtDevice device;
  const auto got = result_of(
      device, {.block = 64, .shared_bytes = kReduceBytes}, 64, [](auto& ctx, const PlantedArgs& a) {
        a.out[ctx.thread()] = block_max(ctx, ctx.thread() == 40 ? NAN : 1.0f, 0);
      });
  EXPECT_TRUE(std::isnan(got[0]) && std::isnan(got[63]));
}

TEST(SimtExecutor, CopiesAsynchronously) {
  everywhere([](SimtDevice& device) {
    std::vector<float> in(3 * 128);
    std::iota(in.begin(), in.end(), 0.0f);
    const auto got = result_of(
        device,
        {.block = 32, .shared_bytes = 3 * 512},
        3 * 32,
        [](auto& ctx, const PlantedArgs& a) {
          auto s = ctx.template shared<float>(0, 3 * 128);
          for (int g = 0; g < 3; ++g) {
            ctx.copy_async16(s + (128 * g + 4 * ctx.lane()), a.in + 128 * g + 4 * ctx.lane());
            ctx.commit_async();
          }
          ctx.template wait_async<2>();
          ctx.barrier();
          a.out[ctx.lane()] = s[127 - ctx.lane()];
          ctx.template wait_async<0>();
          ctx.barrier();
          a.out[32 + ctx.lane()] = s[128 + 4 * ctx.lane()];
          a.out[64 + ctx.lane()] = s[256 + 3 * ctx.lane()];
        },
        in);
    for (int i = 0; i < 32; ++i) {
      ASSERT_EQ(got[static_cast<size_t>(i)], 127 - i);
      ASSERT_EQ(got[static_cast<size_t>(32 + i)], 128 + 4 * i);
      ASSERT_EQ(got[static_cast<size_t>(64 + i)], 256 + 3 * i);
    }
  });
}

TEST(SimtExecutor, CountsWithAtomics) {
  everywhere([](SimtDevice& device) {
    const auto got =
        result_of(device, {.grid_x = 9, .block = 64}, 64, [](auto& ctx, const PlantedArgs& a) {
          auto* count = reinterpret_cast<int*>(a.out);
          ctx.atomic_add(count, ctx.thread());
          while (ctx.atomic_cas(count + 1, 0, 1) != 0) {  // a lock
          }
          a.out[2] += 1.0f;
          ctx.atomic_exchange(count + 1, 0);
        });
    ASSERT_EQ(std::bit_cast<int>(got[0]), 9 * 63 * 32);
    ASSERT_EQ(got[2], 9 * 64);
  });
}

TEST(SimtExecutor, BlocksOfAGridMayWaitForEachOther) {
  everywhere([](SimtDevice& device) {
    constexpr int kBlocks = 13;
    const auto got = result_of(
        device, {.grid_x = kBlocks, .block = 64}, 2 + kBlocks, [](auto& ctx, const PlantedArgs& a) {
          auto* arrived = reinterpret_cast<int*>(a.out);
          for (int round = 1; round <= 3; ++round) {
            if (ctx.thread() == 0) {
              a.out[2 + ctx.block_x()] += static_cast<float>(round);
              if (ctx.atomic_add(arrived, 1) == ctx.grid_x() * round - 1) {
                ctx.store_release(arrived + 1, round);
              }
              while (ctx.load_acquire(arrived + 1) < round) {
              }
            }
            ctx.barrier();
          }
        });
    for (int b = 0; b < kBlocks; ++b) {
      ASSERT_EQ(got[static_cast<size_t>(2 + b)], 6.0f);
    }
  });
}

TEST(SimtExecutor, HasTheSameResultOnAnyNumberOfThreads) {
  std::vector<float> first;
  for (const int threads : {1, 2, 5}) {
    SimtDevice device(threads);
    const auto got = result_of(
        device,
        {.grid_x = 5, .grid_y = 4, .grid_z = 3, .block = 32},
        60 * 32,
        [](auto& ctx, const PlantedArgs& a) {
          const int block =
              (ctx.block_z() * ctx.grid_y() + ctx.block_y()) * ctx.grid_x() + ctx.block_x();
          a.out[block * 32 + ctx.lane()] = static_cast<float>(block) + ctx.shfl_xor(0.5f, 1);
        });
    first = first.empty() ? got : first;
    EXPECT_EQ(got, first);
    EXPECT_EQ(got[59 * 32], 59.5f);
  }
}

TEST(SimtExecutor, RunsNothingForAnEmptyGrid) {
  SimtDevice device;
  EXPECT_EQ(
      result_of(device, {.grid_x = 0}, 1, [](auto&, const PlantedArgs& a) { a.out[0] = 1; })[0], 0);
}

TEST(SimtExecutor, RefusesUnknownKernelsAndOtherArguments) {
  SimtDevice device;
  EXPECT_THROW(device.launch("no such kernel", {}, nullptr, 0), Error);
  const auto nothing = [](auto&, const PlantedArgs&) {};
  run_planted(device, {.grid_x = 0}, nothing);
  EXPECT_THROW(device.launch("planted", {}, nullptr, 4), Error);
  EXPECT_THROW(device.launch("planted", {}, nullptr, kMostArgBytes + 8), Error);
  EXPECT_THROW(device.kernels().add<Planted<decltype(nothing)>>(), Error)
      << "two kernels of one name";
}

/// Whether any schedule has other bits than the first.
template <class F>
bool is_found_by_fuzzing(const LaunchShape& shape, int count, F f) {
  std::vector<float> first;
  bool differs = false;
  for (Schedule schedule : schedules(8)) {
    SimtDevice device;
    schedule.find_races = false;  // the bits alone must tell
    device.set_schedule(schedule);
    try {
      const auto got = result_of(device, shape, count, f);
      first = first.empty() ? got : first;
      differs = differs || got != first;
    } catch (const Fault&) {
      differs = true;  // the race led to a read before the write
    }
  }
  return differs;
}

TEST(SimtExecutor, OtherSchedulesFindAMissingBarrier) {
  constexpr LaunchShape shape{.block = 128, .shared_bytes = 512};
  const auto correct = [](auto& ctx, const PlantedArgs& a) {
    auto s = ctx.template shared<float>(0, 128);
    s[ctx.thread()] = 1.0f;
    ctx.barrier();
    const float other = s[(ctx.thread() + 40) % 128];
    ctx.barrier();
    s[ctx.thread()] = 2.0f;
    a.out[ctx.thread()] = other;
  };
  EXPECT_FALSE(is_found_by_fuzzing(shape, 128, correct));
  // Without the second barrier a warp may overwrite what another has yet to read.
  EXPECT_TRUE(is_found_by_fuzzing(shape, 128, [](auto& ctx, const PlantedArgs& a) {
    auto s = ctx.template shared<float>(0, 128);
    s[ctx.thread()] = 1.0f;
    ctx.barrier();
    const float other = s[(ctx.thread() + 40) % 128];
    s[ctx.thread()] = 2.0f;
    a.out[ctx.thread()] = other;
  }));
}

TEST(SimtExecutor, OtherSchedulesFindAMissingWarpBarrier) {
  constexpr LaunchShape shape{.block = 32, .shared_bytes = 128};
  EXPECT_TRUE(is_found_by_fuzzing(shape, 32, [](auto& ctx, const PlantedArgs& a) {
    auto s = ctx.template shared<float>(0, 32);
    s[ctx.lane()] = 1.0f;
    ctx.warp_barrier();
    s[31 - ctx.lane()] += static_cast<float>(ctx.lane());
    s[ctx.lane()] += 1.0f;
    ctx.warp_barrier();
    const float x = s[ctx.lane()];
    a.out[ctx.lane()] = x * static_cast<float>(ctx.lane());
    s[(ctx.lane() + 1) % 32] = x;
    const float y = s[ctx.lane()];
    a.out[ctx.lane()] = y;
  }));
}

TEST(SimtExecutor, OtherSchedulesFindBlocksThatDependOnTheirOrder) {
  if (kThreadSanitized) {
    GTEST_SKIP() << "it finds this race too, and ends the process";
  }
  EXPECT_TRUE(
      is_found_by_fuzzing({.grid_x = 8, .block = 32}, 1, [](auto& ctx, const PlantedArgs& a) {
        if (ctx.lane() == 0 && ctx.block_x() % 7 == 0) {
          a.out[0] = static_cast<float>(ctx.block_x());
        }
      }));
}

TEST(SimtExecutor, LateCopiesFindASourceThatChangesTooEarly) {
  EXPECT_TRUE(is_found_by_fuzzing(
      {.block = 32, .shared_bytes = 128}, 64, [](auto& ctx, const PlantedArgs& a) {
        auto s = ctx.template shared<float>(0, 32);
        ctx.template copy_async<4>(s + ctx.lane(), a.out + ctx.lane());
        ctx.commit_async();
        a.out[ctx.lane()] = 7.0f;
        ctx.template wait_async<0>();
        const float x = s[ctx.lane()];
        a.out[32 + ctx.lane()] = x;
      }));
}

}  // namespace
}  // namespace sv::simt
