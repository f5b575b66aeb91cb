// CudaDevice on a stand-in for the CUDA runtime (fake_cudart.h): what it asks of the runtime, in
// which order, and what it says when that fails.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <numeric>

#include "cuda/fake_cudart.h"
#include "kernels/cuda/kernel_table.h"
#include "kernels/memory/cuda_device.h"

namespace sv::cuda {

namespace {
const char kSmall = 0, kLarge = 0, kMore = 0;  // their addresses are the entries
struct Args {
  float* x;
  int64_t n;
};
}  // namespace

template <>
void KernelTable::add<int>() {
  put("small", {&kSmall, sizeof(Args), 128});
  put("large", {&kLarge, sizeof(Args), 512});
}

template <>
void KernelTable::add<float>() {
  put("more", {&kMore, sizeof(Args), 128});
}

KernelTable all_kernels() {
  KernelTable t;
  t.add<int>();
  return t;
}

namespace {

class CudaDeviceTest : public testing::Test {
 protected:
  void SetUp() override {
    fake::reset();
    fake::runtime().args_bytes = sizeof(Args);
    unsetenv("SV_CUDA_SYNC");
    unsetenv("CUDA_VISIBLE_DEVICES");
  }
  fake::Runtime& runtime() { return fake::runtime(); }

  void expect_nothing_left() {
    EXPECT_EQ(runtime().used, 0u);
    EXPECT_EQ(runtime().pinned, 0);
    EXPECT_EQ(runtime().events, 0);
    EXPECT_EQ(runtime().streams, 0);
  }
};

template <class F>
Error error_of(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    return e;
  }
  ADD_FAILURE() << "nothing was thrown";
  return Error("");
}
bool says(const Error& e, const std::string& text) {
  return std::string(e.what()).find(text) != std::string::npos;
}

TEST_F(CudaDeviceTest, CopiesOfAnySizeComeBackAsTheyWere) {
  const auto device = open(0);
  for (const size_t bytes : {size_t{0},
                             size_t{1},
                             (size_t{1} << 20) - 1,
                             size_t{1} << 20,
                             (size_t{1} << 20) + 1,
                             size_t{9'999'999},
                             size_t{20} << 20}) {
    std::vector<unsigned char> there(bytes), back(bytes, 7);
    for (size_t i = 0; i < bytes; ++i) {
      there[i] = static_cast<unsigned char>(i * 31 + i / 251);
    }
    const std::vector<unsigned char> expected = there;
    void* p = device->alloc(bytes);
    device->to_device(p, there.data(), bytes);
    std::fill(there.begin(), there.end(), 0);  // it may be reused at once
    device->to_host(back.data(), p, bytes);
    EXPECT_TRUE(back == expected) << bytes;
    device->free(p);
  }
}

TEST_F(CudaDeviceTest, WorkHappensInTheOrderOfTheCalls) {
  const auto device = open(0);
  constexpr size_t kBytes = size_t{3} << 20;
  void *a = device->alloc(kBytes), *b = device->alloc(kBytes);
  std::vector<unsigned char> one(kBytes, 1), two(kBytes, 2), back(kBytes);
  for (int i = 0; i < 5; ++i) {  // more than the staging memory holds
    device->to_device(a, one.data(), kBytes);
    device->copy(b, a, kBytes);
    device->to_device(a, two.data(), kBytes);
    device->zero(a, 5);
  }
  device->to_host(back.data(), b, kBytes);
  EXPECT_TRUE(back == one);
  device->to_host(back.data(), a, kBytes);
  std::fill(two.begin(), two.begin() + 5, 0);
  EXPECT_TRUE(back == two);
  device->free(a);
  device->free(b);
}

/// More than the staging memory holds, so that early pieces are taken out while later ones begin.
TEST_F(CudaDeviceTest, ACopyForLaterIsOfTheMomentItWasAskedFor) {
  const auto device = open(0);
  for (const size_t bytes : {size_t{10}, (size_t{3} << 20) + 5, size_t{20} << 20}) {
    void* p = device->alloc(bytes);
    const std::vector<unsigned char> one(bytes, 1), two(bytes, 2);
    std::vector<unsigned char> first(bytes, 7), second(bytes, 7);
    device->to_device(p, one.data(), bytes);
    device->to_host_later(first.data(), p, bytes);
    device->to_device(p, two.data(), bytes);
    device->to_host_later(second.data(), p, bytes);
    device->zero(p, bytes);
    EXPECT_EQ(second.back(), 7) << "nobody has waited for it yet";
    device->finish_copies();
    EXPECT_TRUE(first == one && second == two) << bytes;
    device->finish_copies();  // nothing is left to do
    device->free(p);
  }
}

TEST_F(CudaDeviceTest, WaitingForACopyDoesNotWaitForWorkBehindIt) {
  const auto device = open(0);
  const Args args{};
  std::vector<unsigned char> host(100);
  void* p = device->alloc(host.size());
  device->to_host_later(host.data(), p, host.size());
  runtime().fault = cudaErrorIllegalAddress;
  device->launch("small", {}, &args, sizeof args);
  device->finish_copies();  // the faulty kernel has not run
  EXPECT_EQ(host[0], 0xFF);
  EXPECT_EQ(std::count(runtime().calls.begin(), runtime().calls.end(), "cudaStreamSynchronize"), 0);
  runtime().fault = cudaSuccess;
  device->free(p);
}

TEST_F(CudaDeviceTest, CopiesThatWereDroppedWriteNothing) {
  const auto device = open(0);
  constexpr size_t kBytes = size_t{2} << 20;
  void* p = device->alloc(kBytes);
  std::vector<unsigned char> dropped(kBytes, 7), wanted(12 * kBytes, 7);
  device->to_host_later(dropped.data(), p, kBytes);
  device->drop_copies();
  for (size_t i = 0; i < 12; ++i) {  // round all slots
    device->to_host_later(wanted.data() + i * kBytes, p, kBytes);
  }
  device->finish_copies();
  EXPECT_TRUE(std::all_of(dropped.begin(), dropped.end(), [](int b) { return b == 7; }));
  EXPECT_TRUE(std::all_of(wanted.begin(), wanted.end(), [](int b) { return b == 0xFF; }));
  device->free(p);
}

TEST_F(CudaDeviceTest, AnErrorLeavesNoCopyUnderWay) {
  const auto device = open(0);
  void* p = device->alloc(64);
  std::vector<unsigned char> host(64, 7);
  device->to_host_later(host.data(), p, 64);
  runtime().fail_call = static_cast<int>(runtime().calls.size()) + 1;  // after cudaSetDevice
  EXPECT_TRUE(says(error_of([&] { device->finish_copies(); }), "cudaEventSynchronize"));
  runtime().fail_call = -1;
  device->finish_copies();
  EXPECT_EQ(host[0], 7);
  device->free(p);
}

TEST_F(CudaDeviceTest, OutOfMemoryNamesBytesAndSettings) {
  const auto device = open(0);
  void* p = device->alloc(size_t{40} << 20);
  const Error e = error_of([&] { device->alloc(size_t{30} << 20); });
  EXPECT_EQ(e.exit, Exit::environment);
  for (const char* text : {"cuda:0 Fake GPU",
                           "30.0 MiB requested",
                           "24.0 of 64.0 MiB free",
                           "train.batch",
                           "seeds",
                           "train.gradient=checkpoint:1"}) {
    EXPECT_TRUE(says(e, text)) << e.what();
  }
  device->free(p);
  device->free(device->alloc(size_t{30} << 20));  // the error is over
}

TEST_F(CudaDeviceTest, ALaunchPassesShapeAndArguments) {
  const auto device = open(0);
  const Args args{nullptr, 42};
  device->launch("small",
                 {.grid_x = 7, .grid_y = 3, .grid_z = 2, .block = 96, .shared_bytes = 640},
                 &args,
                 sizeof args);
  ASSERT_EQ(runtime().launches.size(), 1u);
  const fake::Launch& l = runtime().launches[0];
  EXPECT_EQ(l.entry, &kSmall);
  EXPECT_EQ(l.grid.x * 100 + l.grid.y * 10 + l.grid.z, 732u);
  EXPECT_EQ(l.block.x * l.block.y * l.block.z, 96u);
  EXPECT_EQ(l.shared, 640u);
  EXPECT_EQ(std::memcmp(l.args.data(), &args, sizeof args), 0);
}

TEST_F(CudaDeviceTest, AProfilerSeesRangesAroundLaunches) {
  if (CUDART_VERSION < 13000) {
    GTEST_SKIP() << "the NVTX of this toolkit finds no profiler that is linked in";
  }
  const auto device = open(0);
  const Args args{};
  {
    const TimeRange step(device.get(), "step", 7);
    const TimeRange block(device.get(), "block", 0);
    device->launch("small", {}, &args, sizeof args);
  }
  device->launch("large", {}, &args, sizeof args);
  const std::vector<std::string> want = {"step 7", "block 0", "small", "-", "-", "-", "large", "-"};
  EXPECT_EQ(runtime().ranges, want);
}

TEST_F(CudaDeviceTest, AGridWithoutBlocksRunsNothing) {
  const auto device = open(0);
  const Args args{};
  device->launch("small", {.grid_y = 0}, &args, sizeof args);
  EXPECT_TRUE(runtime().launches.empty());
}

TEST_F(CudaDeviceTest, LaunchesThatCannotBeAreRefused) {
  const auto device = open(0);
  const Args args{};
  const auto refused =
      [&](const char* kernel, const LaunchShape& shape, size_t bytes, const char* text) {
        const Error e = error_of([&] { device->launch(kernel, shape, &args, bytes); });
        EXPECT_TRUE(says(e, text)) << e.what();
      };
  refused("smal", {}, sizeof args, "'smal'");
  refused("small", {}, sizeof args - 4, "small");
  refused("small", {.block = 256}, sizeof args, "at most 128");
  refused("small", {.grid_y = 65536}, sizeof args, "65536");
  refused("large", {.grid_x = -1}, sizeof args, "-1");
  refused("large", {.shared_bytes = (96 << 10) + 1}, sizeof args, "98304");
  EXPECT_TRUE(runtime().launches.empty());
}

TEST_F(CudaDeviceTest, LargeSharedMemoryIsAskedForOnceAndRaised) {
  const auto device = open(0);
  const Args args{};
  for (const int bytes : {1 << 10, 48 << 10, 64 << 10, 50 << 10, 64 << 10, 80 << 10}) {
    device->launch("large", {.shared_bytes = bytes}, &args, sizeof args);
  }
  const std::vector<std::pair<const void*, int>> expected = {{&kLarge, 64 << 10},
                                                             {&kLarge, 80 << 10}};
  EXPECT_EQ(runtime().shared_limits, expected);
}

TEST_F(CudaDeviceTest, AFaultNamesTheLastKernelAndHowToLearnMore) {
  const auto device = open(0);
  const Args args{};
  runtime().fault = cudaErrorIllegalAddress;
  device->launch("small", {}, &args, sizeof args);
  device->launch("large", {}, &args, sizeof args);
  const Error e = error_of([&] { device->synchronise(); });
  EXPECT_TRUE(says(e, "cudaErrorIllegalAddress") && says(e, "in kernel large") &&
              says(e, "SV_CUDA_SYNC=1"))
      << e.what();
}

TEST_F(CudaDeviceTest, WaitingAfterEachLaunchNamesTheKernelItself) {
  setenv("SV_CUDA_SYNC", "1", 1);
  const auto device = open(0);
  const Args args{};
  runtime().fault = cudaErrorIllegalAddress;
  const Error e = error_of([&] { device->launch("small", {}, &args, sizeof args); });
  EXPECT_TRUE(says(e, "in kernel small")) << e.what();
  EXPECT_FALSE(says(e, "SV_CUDA_SYNC")) << e.what();
}

TEST_F(CudaDeviceTest, ALaunchThatIsRefusedNamesItsKernel) {
  const auto device = open(0);
  const Args args{};
  runtime().launch_error = cudaErrorUnknown;
  EXPECT_TRUE(
      says(error_of([&] { device->launch("small", {}, &args, sizeof args); }), "in kernel small"));
}

TEST_F(CudaDeviceTest, WithoutADriverItSaysSo) {
  runtime().count_error = cudaErrorInsufficientDriver;
  runtime().driver = 0;
  const Error e = error_of([] { open(0); });
  EXPECT_EQ(e.exit, Exit::environment);
  EXPECT_TRUE(says(e, "no NVIDIA driver") && says(e, "error 35")) << e.what();
  EXPECT_TRUE(devices().empty());
  runtime().driver = 12040;
  EXPECT_NE(why_none().find("driver is for CUDA 12.4"), std::string::npos) << why_none();
}

TEST_F(CudaDeviceTest, AHiddenGpuIsNotBlamedOnTheDriver) {
  runtime().count_error = cudaErrorNoDevice;
  EXPECT_NE(why_none().find("nvidia-smi"), std::string::npos) << why_none();
  setenv("CUDA_VISIBLE_DEVICES", "9", 1);
  EXPECT_NE(why_none().find("CUDA_VISIBLE_DEVICES is '9'"), std::string::npos) << why_none();
}

TEST_F(CudaDeviceTest, ANumberThatIsNotThereIsRefusedWithTheCount) {
  runtime().device_count = 2;
  EXPECT_TRUE(says(error_of([] { open(2); }), "there is no device cuda:2; this machine has 2"));
  EXPECT_EQ(open(1)->name(), "cuda:1 Fake GPU");
}

TEST_F(CudaDeviceTest, AGpuWithoutCodeForItIsRefusedWithTheSetting) {
  runtime().has_code = false;
  const Error e = error_of([] { open(0); });
  EXPECT_TRUE(says(e, "9.0") && says(e, "-DCMAKE_CUDA_ARCHITECTURES=90-real")) << e.what();
  expect_nothing_left();
}

TEST_F(CudaDeviceTest, EveryCallIsCheckedAndNothingIsLeftBehind) {
  const auto everything = [] {
    const auto device = open(0);
    std::vector<std::byte> host(size_t{2} << 20);
    struct Block {
      Device& device;
      void* p;
      ~Block() { device.free(p); }
    } block{*device, device->alloc(host.size())};
    device->to_device(block.p, host.data(), host.size());
    device->copy(block.p, static_cast<std::byte*>(block.p) + 1024, 1024);
    device->zero(block.p, 16);
    const Args args{};
    device->launch("large", {.shared_bytes = 64 << 10}, &args, sizeof args);
    device->synchronise();
    device->to_host_later(host.data(), block.p, host.size());
    device->finish_copies();
  };
  everything();
  expect_nothing_left();
  // The last calls are those of the destructors, which do not throw.
  const int calls = static_cast<int>(runtime().calls.size());
  const std::vector<std::string> names = runtime().calls;
  int thrown = 0;
  for (int i = 0; i < calls; ++i) {
    SetUp();
    runtime().fail_call = i;
    try {
      everything();
      EXPECT_GE(i, calls - 2) << "call " << i << ", " << names[static_cast<size_t>(i)]
                              << ", failed and nobody noticed";
    } catch (const Error& e) {
      EXPECT_TRUE(says(e, "cudaErrorUnknown")) << e.what();
      ++thrown;
    }
    runtime().fail_call = -1;
    expect_nothing_left();
  }
  EXPECT_GE(thrown, calls - 2);
}

/// A product of ones on the device: what it gives, or 0 where no library takes it.
float product_of_ones(Device& device) {
  const std::vector<float> ones(6, 1.0f);
  float* const at = static_cast<float*>(device.alloc(6 * sizeof(float)));
  device.to_device(at, ones.data(), 6 * sizeof(float));
  device.synchronise();  // the stand-in of the library does not wait for the stream
  LargeProduct p;
  p.a = at;
  p.b = at + 2;
  p.out = at + 4;
  p.R = p.C = 1;
  p.depth = 2;
  float got = 0;
  if (device.library_product(p)) {
    device.to_host(&got, at + 4, sizeof got);
  }
  device.free(at);
  return got;
}

TEST_F(CudaDeviceTest, LargeProductsGoToTheLibraryOfTheMachine) {
  setenv("SV_CUBLASLT", SV_FAKE_CUBLASLT, 1);
  {
    const auto device = open(0);
    EXPECT_EQ(device->products(), "own kernels");
    EXPECT_EQ(product_of_ones(*device), 2);
    EXPECT_EQ(product_of_ones(*device), 2);
    EXPECT_EQ(device->products(),
              std::string("own kernels; 2 large products by cuBLASLt 12.4.5, ") + SV_FAKE_CUBLASLT);
  }
  expect_nothing_left();
  unsetenv("SV_CUBLASLT");
}

TEST_F(CudaDeviceTest, WithoutTheLibraryProductsAreOursAndTheRecordSaysWhy) {
  setenv("SV_CUBLASLT", "/no/such/library.so", 1);
  const auto device = open(0), off = open(0, {.cublaslt = false});
  EXPECT_EQ(product_of_ones(*device), 0);
  EXPECT_NE(device->products().find("own kernels (no cuBLASLt: /no/such/library.so"),
            std::string::npos)
      << device->products();
  setenv("SV_CUBLASLT", SV_FAKE_CUBLASLT, 1);
  EXPECT_EQ(product_of_ones(*off), 0);
  EXPECT_EQ(off->products(), "own kernels (cublaslt off)");
  EXPECT_EQ(product_of_ones(*device), 0) << "it is looked for once";
  unsetenv("SV_CUBLASLT");
}

TEST_F(CudaDeviceTest, KernelsOfATestAreLaunchedBesideThoseOfTheOps) {
  KernelTable more;
  more.add<float>();
  const auto device = open(0, {.more = &more});
  const Args args{};
  device->launch("more", {}, &args, sizeof args);
  device->launch("small", {}, &args, sizeof args);
  EXPECT_EQ(runtime().launches[0].entry, &kMore);
  more.add<int>();
  EXPECT_TRUE(says(error_of([&] { open(0, {.more = &more}); }), "two CUDA kernels"));
}

}  // namespace
}  // namespace sv::cuda
