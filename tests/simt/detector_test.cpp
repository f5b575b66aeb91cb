// Planted mistakes: each is found, and the report names kernel, block, warp, lanes and what.
#include "simt/planted.h"

namespace sv::simt {
namespace {

/// The report of f holds all the parts.
template <class F>
void expect_report(const LaunchShape& shape,
                   const std::vector<std::string>& parts,
                   F f,
                   const Schedule& schedule = {}) {
  const std::string report = report_of(shape, f, schedule);
  for (const std::string& part : parts) {
    EXPECT_NE(report.find(part), std::string::npos) << "'" << part << "' is not in: " << report;
  }
}

constexpr LaunchShape kOneWarp{.block = 32, .shared_bytes = 1024};
constexpr LaunchShape kTwoWarps{.block = 64, .shared_bytes = 1024};

TEST(SimtDetector, ReportsNothingForACorrectKernel) {
  EXPECT_EQ(report_of(kTwoWarps,
                      [](auto& ctx, const PlantedArgs&) {
                        auto s = ctx.template shared<float>(0, 64);
                        s[ctx.thread()] = ctx.shfl_xor(1.0f, 3);
                        ctx.barrier();
                        s[63 - ctx.thread()] += 1.0f;
                      }),
            "no report");
}

TEST(SimtDetector, FindsAWarpOpThatSomeLanesLeaveOut) {
  expect_report(
      kTwoWarps,
      {"kernel 'planted', block (0, 0, 0), warp 1: divergent warp op: lanes 0-15 at shfl_xor",
       "lanes 16-31 returned",
       "detector_test.cpp:"},
      [](auto& ctx, const PlantedArgs&) {
        if (ctx.thread() < 48) {
          ctx.shfl_xor(1.0f, 1);
        }
      });
}

TEST(SimtDetector, FindsAWarpOpBesideABarrier) {
  expect_report(kOneWarp,
                {"warp 0: divergent warp op: lanes 0, 2-31 at ballot", "lane 1 at barrier"},
                [](auto& ctx, const PlantedArgs&) {
                  if (ctx.lane() == 1) {
                    ctx.barrier();
                  } else {
                    ctx.ballot(true);
                  }
                });
}

TEST(SimtDetector, FindsDifferentWarpOpsInOneWarp) {
  expect_report(kOneWarp,
                {"divergent warp op: lanes 0-7 at any", "lanes 8-31 elsewhere, the first at all"},
                [](auto& ctx, const PlantedArgs&) {
                  if (ctx.lane() < 8) {
                    ctx.any(true);
                  } else {
                    ctx.all(true);
                  }
                });
}

TEST(SimtDetector, FindsTheSameWarpOpInTwoBranches) {
  expect_report(kOneWarp,
                {"divergent warp op: lanes 0-7 at shfl_down", "the first at shfl_down"},
                [](auto& ctx, const PlantedArgs&) {
                  if (ctx.lane() < 8) {
                    ctx.shfl_down(1, 1);
                  } else {
                    ctx.shfl_down(2, 1);
                  }
                });
}

TEST(SimtDetector, FindsASourceLaneOutOfRange) {
  expect_report(
      kOneWarp,
      {"shfl (detector_test.cpp:", "lane 5 names lane 37"},
      [](auto& ctx, const PlantedArgs&) { ctx.shfl(1.0f, ctx.lane() + 32 * (ctx.lane() == 5)); });
  expect_report(kOneWarp,
                {"shfl_xor", "lane 0 names distance 32"},
                [](auto& ctx, const PlantedArgs&) { ctx.shfl_xor(1.0f, 32); });
}

TEST(SimtDetector, FindsABarrierThatAThreadReturnsBefore) {
  expect_report(kTwoWarps,
                {"warp 1: lane 8 returned before the barrier (detector_test.cpp:"},
                [](auto& ctx, const PlantedArgs&) {
                  if (ctx.thread() != 40) {
                    ctx.barrier();
                  }
                });
}

TEST(SimtDetector, FindsThreadsAtDifferentBarriers) {
  expect_report(
      kTwoWarps, {"warp 1: lane 0 waits at the barrier of"}, [](auto& ctx, const PlantedArgs&) {
        if (ctx.warp() == 0) {
          ctx.barrier();
        } else {
          ctx.barrier();
        }
      });
}

TEST(SimtDetector, FindsADeadlock) {
  expect_report({.grid_x = 3, .block = 64},
                {"kernel 'planted': deadlock", "of block (", "at detector_test.cpp:"},
                [](auto& ctx, const PlantedArgs& a) {
                  while (ctx.load_acquire(a.flag) == 0) {
                  }
                });
}

TEST(SimtDetector, FindsALockThatNobodyReleases) {
  expect_report({.grid_x = 2, .block = 32}, {"deadlock"}, [](auto& ctx, const PlantedArgs& a) {
    while (ctx.atomic_exchange(a.flag, 1) == 1) {
    }
  });
}

TEST(SimtDetector, FindsAnElementOutsideAView) {
  expect_report(
      kOneWarp,
      {"lane 31 touches element 32 of a view of 32 elements of 4 bytes from shared byte 128"},
      [](auto& ctx, const PlantedArgs&) {
        auto s = ctx.template shared<float>(128, 32);
        s[ctx.lane() + (ctx.lane() == 31)] = 1.0f;
      });
}

TEST(SimtDetector, FindsAViewBeyondTheSharedMemory) {
  expect_report(kOneWarp,
                {"takes a view of shared bytes 512 to 1536, the launch has 1024"},
                [](auto& ctx, const PlantedArgs&) { ctx.template shared<float>(512, 256); });
  expect_report(kOneWarp, {"misaligned for 16 bytes"}, [](auto& ctx, const PlantedArgs&) {
    ctx.template shared<Float4>(8, 2);
  });
}

TEST(SimtDetector, FindsAReadOfSharedMemoryThatNobodyWrote) {
  expect_report(kOneWarp,
                {"lane 3 reads shared byte 12, which nothing has written in this block"},
                [](auto& ctx, const PlantedArgs& a) {
                  auto s = ctx.template shared<float>(0, 32);
                  if (ctx.lane() < 3) {
                    s[ctx.lane()] = 1.0f;
                  }
                  ctx.barrier();
                  a.out[ctx.lane()] = s[ctx.lane()];
                });
}

TEST(SimtDetector, ForgetsSharedMemoryBetweenBlocks) {
  expect_report({.grid_x = 2, .block = 32, .shared_bytes = 128},
                {"block (1, 0, 0)", "which nothing has written in this block"},
                [](auto& ctx, const PlantedArgs& a) {
                  auto s = ctx.template shared<float>(0, 32);
                  if (ctx.block_x() == 0) {
                    s[ctx.lane()] = 1.0f;
                  } else {
                    a.out[ctx.lane()] = s[ctx.lane()];
                  }
                });
}

TEST(SimtDetector, FindsAReadOfWhatAnotherThreadWroteWithoutABarrier) {
  expect_report(
      kTwoWarps,
      {"warp 1: lane 8 reads shared byte 0, which thread 0 wrote without a barrier between"},
      [](auto& ctx, const PlantedArgs& a) {
        auto s = ctx.template shared<float>(0, 64);
        s[ctx.thread()] = 1.0f;
        if (ctx.thread() == 40) {
          a.out[0] = s[0];
        }
      });
  expect_report(
      kOneWarp,
      {"lane 31 reads shared byte 0, which thread 0 wrote without a warp_barrier between"},
      [](auto& ctx, const PlantedArgs& a) {
        auto s = ctx.template shared<float>(0, 32);
        s[ctx.lane()] = ctx.shfl_xor(1.0f, 1);
        if (ctx.lane() == 31) {
          a.out[0] = s[0];
        }
      });
}

TEST(SimtDetector, FindsAWriteToWhatAnotherThreadReadWithoutABarrier) {
  expect_report(kTwoWarps,
                {"warp 1: lane 0 writes shared byte 0, which thread 0 (or its warp) read"},
                [](auto& ctx, const PlantedArgs& a) {
                  auto s = ctx.template shared<float>(0, 1);
                  if (ctx.thread() == 0) {
                    s[0] = 1.0f;
                  }
                  ctx.barrier();
                  a.out[ctx.thread()] = s[0];
                  if (ctx.thread() == 32) {
                    s[0] = 2.0f;
                  }
                });
  // Here thread 32 itself was the last to read.
  expect_report(kOneWarp,
                {"lane 31 writes shared byte 0, which thread 31 (or its warp) read"},
                [](auto& ctx, const PlantedArgs& a) {
                  auto s = ctx.template shared<float>(0, 1);
                  if (ctx.thread() == 0) {
                    s[0] = 1.0f;
                  }
                  ctx.warp_barrier();
                  a.out[ctx.thread()] = s[0];
                  if (ctx.thread() == 31) {
                    s[0] = 2.0f;
                  }
                });
}

TEST(SimtDetector, FindsTwoWritesWithoutABarrier) {
  expect_report(kTwoWarps,
                {"writes shared byte 4, which thread 1 wrote without a barrier between"},
                [](auto& ctx, const PlantedArgs&) {
                  auto s = ctx.template shared<float>(0, 32);
                  if (ctx.thread() == 1 || ctx.thread() == 33) {
                    s[1] = 1.0f;
                  }
                });
}

TEST(SimtDetector, FindsACopyThatOthersReadWithoutABarrier) {
  for (const bool late : {false, true}) {
    expect_report(
        kOneWarp,
        {"which thread 0 wrote without a warp_barrier between"},
        [](auto& ctx, const PlantedArgs& a) {
          auto s = ctx.template shared<float>(0, 32);
          ctx.template copy_async<4>(s + ctx.lane(), a.in + ctx.lane());
          ctx.commit_async();
          ctx.template wait_async<0>();
          ctx.shfl(0, 0);  // all copies have landed, but no barrier says so
          if (ctx.lane() == 9) {
            a.out[0] = s[0];
          }
        },
        Schedule{.late_copies = late});
  }
}

TEST(SimtDetector, AllowsWhatBarriersSeparate) {
  for (const Schedule& schedule : schedules(2)) {
    expect_report(
        kTwoWarps,
        {"no report"},
        [](auto& ctx, const PlantedArgs& a) {
          auto s = ctx.template shared<uint16_t>(0, 64);
          for (int round = 0; round < 3; ++round) {
            s[ctx.thread()] = static_cast<uint16_t>(round);
            ctx.warp_barrier();
            const uint16_t neighbour = s[ctx.thread() ^ 1];
            ctx.warp_barrier();
            s[ctx.thread()] = neighbour;
            ctx.barrier();
            const uint16_t other = s[63 - ctx.thread()];
            a.out[ctx.thread() % 2] = 0.0f * static_cast<float>(other);
            ctx.barrier();
          }
        },
        schedule);
  }
}

TEST(SimtDetector, FindsAMisalignedAsynchronousCopy) {
  expect_report(kOneWarp,
                {"lane 0 misaligned copy_async (detector_test.cpp:",
                 "16 bytes to shared byte 0 from a global address 4 bytes past a multiple of 16"},
                [](auto& ctx, const PlantedArgs& a) {
                  ctx.copy_async16(ctx.template shared<float>(0, 4), a.in + 1);
                });
  expect_report(kOneWarp, {"16 bytes to shared byte 8"}, [](auto& ctx, const PlantedArgs& a) {
    ctx.copy_async16(ctx.template shared<float>(0, 16) + 2, a.in);
  });
}

TEST(SimtDetector, FindsAnAsynchronousCopyThatIsNotWaitedFor) {
  for (const bool late : {false, true}) {
    const Schedule schedule{.late_copies = late};
    expect_report(
        kOneWarp,
        {"reads shared byte 0 while an asynchronous copy to it is under way (wait_async missing)"},
        [](auto& ctx, const PlantedArgs& a) {
          auto s = ctx.template shared<float>(0, 4 * 32);
          ctx.copy_async16(s + 4 * ctx.lane(), a.in + 4 * ctx.lane());
          ctx.commit_async();
          a.out[ctx.lane()] = s[4 * ctx.lane()];
        },
        schedule);
    expect_report(
        kOneWarp,
        {"lane 0 returns with asynchronous copies under way"},
        [](auto& ctx, const PlantedArgs& a) {
          ctx.copy_async16(ctx.template shared<float>(0, 4 * 32) + 4 * ctx.lane(), a.in);
        },
        schedule);
  }
}

TEST(SimtDetector, FindsAWaitThatLeavesTheNeededGroupUnderWay) {
  expect_report(kOneWarp, {"while an asynchronous copy"}, [](auto& ctx, const PlantedArgs& a) {
    auto s = ctx.template shared<float>(0, 32);
    ctx.template copy_async<4>(s + ctx.lane(), a.in + ctx.lane());
    ctx.commit_async();
    ctx.template wait_async<1>();
    a.out[ctx.lane()] = s[ctx.lane()];
  });
  // A group that was never closed is not waited for.
  expect_report(kOneWarp, {"while an asynchronous copy"}, [](auto& ctx, const PlantedArgs& a) {
    auto s = ctx.template shared<float>(0, 32);
    ctx.template copy_async<4>(s + ctx.lane(), a.in + ctx.lane());
    ctx.template wait_async<0>();
    a.out[ctx.lane()] = s[ctx.lane()];
  });
}

/// Loads a matrix row per lane. wrong: 0 nothing, 1 row 7 misaligned, 2 row 31 unwritten.
template <int wrong, class C>
void load_rows(C& ctx) {
  auto s = ctx.template shared<uint16_t>(0, 512);
  for (int i = ctx.lane(); i < 256 - 8 * (wrong == 2); i += 32) {
    s[i] = static_cast<uint16_t>(i);
  }
  ctx.warp_barrier();
  uint32_t r[4];
  ctx.ldmatrix_x4(r, s + (8 * ctx.lane() + (wrong == 1 && ctx.lane() == 7 ? 4 : 0)));
}

TEST(SimtDetector, FindsAnLdmatrixRowThatIsMisalignedOrUnwritten) {
  expect_report(kOneWarp, {"no report"}, [](auto& ctx, const PlantedArgs&) { load_rows<0>(ctx); });
  expect_report(kOneWarp, {"lane 7 has its row at byte 120"}, [](auto& ctx, const PlantedArgs&) {
    load_rows<1>(ctx);
  });
  expect_report(kOneWarp, {"lane 31 reads shared byte 496"}, [](auto& ctx, const PlantedArgs&) {
    load_rows<2>(ctx);
  });
}

TEST(SimtDetector, FindsATf32InputThatWasNotRounded) {
  expect_report(kOneWarp,
                {"mma_tf32_1688", "lane 9 brings 0.1", "not rounded by to_tf32"},
                [](auto& ctx, const PlantedArgs&) {
                  const float x = ctx.lane() == 9 ? 0.1f : ctx.to_tf32(0.1f);
                  const uint32_t a[4] = {std::bit_cast<uint32_t>(x)}, b[2] = {};
                  float d[4] = {};
                  ctx.mma_tf32_1688(d, a, b);
                });
}

TEST(SimtDetector, FindsALaunchBeyondTheLimits) {
  const auto nothing = [](auto&, const PlantedArgs&) {};
  expect_report(
      {.block = 1056}, {"kernel 'planted': a block has", "at most 1024, got 1056"}, nothing);
  expect_report({.block = 48}, {"a multiple of 32 threads"}, nothing);
  expect_report({.block = 32, .shared_bytes = 227 * 1024 + 1},
                {"at most 232448 bytes of shared memory"},
                nothing);
  expect_report({.grid_y = 65536, .block = 32}, {"at most 65535 blocks in y and z"}, nothing);
}

TEST(SimtDetector, ReportsTheFirstBlockWhicheverThreadRunsIt) {
  for (int i = 0; i < 20; ++i) {
    expect_report(
        {.grid_x = 64, .block = 32}, {"block (3, 0, 0)"}, [](auto& ctx, const PlantedArgs&) {
          if (ctx.block_x() >= 3 && ctx.lane() == 0) {
            ctx.barrier();
          }
        });
  }
}

}  // namespace
}  // namespace sv::simt
