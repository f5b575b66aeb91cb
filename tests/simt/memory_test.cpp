// Memory of the simulated device: who may touch it, and what becomes of an access that is wrong.
#include <cmath>

#include "kernels/simt/memory_faults.h"
#include "sanitizers.h"
#include "simt/planted.h"

namespace sv::simt {
namespace {

TEST(SimtMemory, StartsAsNan) {
  SimtDevice device;
  auto* p = static_cast<float*>(device.alloc(12));
  float x[3];
  device.to_host(x, p, sizeof x);
  EXPECT_TRUE(std::isnan(x[0]) && std::isnan(x[2]));
  device.free(p);
}

TEST(SimtMemory, IsAlignedAndCounted) {
  SimtDevice device;
  std::vector<void*> all;
  for (const size_t bytes : {size_t{1}, size_t{300}, size_t{5000}, size_t{0}}) {
    all.push_back(device.alloc(bytes));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(all.back()) % 256, 0u);
  }
  EXPECT_EQ(device.memory().count(), 4u);
  for (void* p : all) {
    device.free(p);
  }
  EXPECT_EQ(device.memory().count(), 0u);
  EXPECT_EQ(device.memory().used(), 0u);
}

TEST(SimtMemory, JoinsWhatIsFreedInAnyOrder) {
  DeviceMemory memory(64 << 10);
  for (const std::vector<int>& order : {std::vector<int>{0, 1, 2}, {2, 1, 0}, {0, 2, 1}}) {
    void* p[3];
    for (void*& one : p) {
      one = memory.alloc(12 << 10);
    }
    for (const int i : order) {
      memory.free(p[i]);
    }
    memory.free(memory.alloc(60 << 10));  // all but the guard page
  }
}

TEST(SimtMemory, SaysHowMuchWasAskedForAndIsFree) {
  DeviceMemory memory(64 << 10);
  try {
    memory.alloc(1 << 20);
    FAIL() << "more than there is";
  } catch (const Error& e) {
    const std::string what = e.what();
    EXPECT_NE(what.find("1048576 bytes requested, 65536 of 65536 free"), std::string::npos) << what;
  }
}

TEST(SimtMemory, RefusesCopiesThatLeaveAnAllocation) {
  SimtDevice device;
  auto* p = static_cast<std::byte*>(device.alloc(100));
  std::byte host[200] = {};
  EXPECT_THROW(device.to_device(p, host, 101), Error);
  EXPECT_THROW(device.to_device(p + 1, host, 100), Error);
  EXPECT_THROW(device.to_host(host, p - 1, 1), Error);
  EXPECT_THROW(device.to_host(host, host, 1), Error);
  EXPECT_THROW(device.to_device(p, p, 1), Error);
  EXPECT_THROW(device.copy(p, host, 1), Error);
  EXPECT_THROW(device.zero(host, 1), Error);
  device.free(p);
  EXPECT_THROW(device.free(p), Error);
}

TEST(SimtMemory, IsNotForTheHost) {
  SimtDevice device(1);  // death tests fork
  auto* p = static_cast<float*>(device.alloc(64));
  EXPECT_DEATH(
      {
        const MemoryFaults faults(device.memory());
        *static_cast<volatile float*>(p + 2) = 1.0f;
      },
      "host code writes device memory \\(byte 8 of an allocation of 64 bytes\\)");
  EXPECT_DEATH(
      {
        const MemoryFaults faults(device.memory());
        const float x = *static_cast<volatile float*>(p);
        std::exit(x > 0 ? 3 : 4);
      },
      "host code reads device memory");
  EXPECT_DEATH({ *static_cast<volatile float*>(p) = 1.0f; }, "");
  device.free(p);
}

/// The report of a launch of f on an allocation of 512 bytes and one before it.
template <class F>
std::string fault_of(F f, int threads = 2) {
  SimtDevice device(threads);
  const MemoryFaults faults(device.memory());
  auto* first = static_cast<float*>(device.alloc(512));
  auto* second = static_cast<float*>(device.alloc(500));
  std::string report = "no report";
  for (int i = 0; i < 3; ++i) {  // a fault leaves the device in order
    try {
      run_planted(device, {.grid_x = 3, .block = 64}, f, {first, second, nullptr});
    } catch (const Fault& fault) {
      report = fault.what();
    }
  }
  device.free(first);
  device.free(second);
  return report;
}

TEST(SimtMemory, EndsAtAPageThatAKernelCannotTouch) {
  if (kThreadSanitized) {
    GTEST_SKIP() << "see tests/sanitizers.h";
  }
  const std::string write = fault_of([](auto& ctx, const PlantedArgs& a) {
    if (ctx.thread() == 35 && ctx.block_x() == 1) {
      a.out[128] = 1.0f;
    }
  });
  EXPECT_NE(
      write.find("block (1, 0, 0), warp 1: lane 3 writes global memory that it must not: byte "
                 "512 of an allocation of 500 bytes"),
      std::string::npos)
      << write;
  const std::string read = fault_of(
      [](auto& ctx, const PlantedArgs& a) { a.out[ctx.thread()] = a.in[ctx.thread() + 65]; });
  EXPECT_NE(read.find("lane 31 reads global memory that it must not: byte 512"), std::string::npos)
      << read;
}

TEST(SimtMemory, KnowsWhatWasWrittenBesideAnAllocation) {
  const std::string behind = fault_of([](auto& ctx, const PlantedArgs& a) {
    if (ctx.block_x() == 1) {
      a.out[126] = 1.0f;
    }
  });
  EXPECT_EQ(behind, "kernel 'planted' wrote behind an allocation of 500 bytes");
  const std::string before = fault_of([](auto& ctx, const PlantedArgs& a) {
    if (ctx.block_x() == 1) {
      a.out[-1] = 1.0f;
    }
  });
  EXPECT_EQ(before, "kernel 'planted' wrote in front of an allocation of 500 bytes");
}

/// Needs more stack than a fibre has.
template <class C>
[[gnu::noinline]] float deep(C& ctx, int depth) {
  volatile float frame[256];
  frame[depth % 256] = 1.0f;
  return depth == 0 ? 0.0f : deep(ctx, depth - 1) + frame[depth % 256];
}

TEST(SimtMemory, ReportsAFibreThatOverflowsItsStack) {
  if (kSanitized) {
    GTEST_SKIP() << "sanitizers have their own report, and end the process";
  }
  const std::string report = fault_of([](auto& ctx, const PlantedArgs& a) {
    a.out[0] = ctx.thread() == 9 ? deep(ctx, 1 << 20) : 0.0f;
  });
  EXPECT_NE(report.find("lane 9 overflows the stack of its fibre"), std::string::npos) << report;
}

}  // namespace
}  // namespace sv::simt
