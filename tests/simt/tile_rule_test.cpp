// Which tiles a product takes: small ones where large ones would leave multiprocessors idle, by the
// size of the whole pack; and that the choice changes no bit. And which products go to a library.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "kernels/ops/linear_xent/cases.h"
#include "kernels/ops/matmul/cases.h"
#include "kernels/ops/matmul/matmul_device.h"
#include "kernels/simt/memory_faults.h"
#include "kernels/simt/simt_device.h"
#include "simt/device_case.h"

namespace sv::cases {
namespace {

/// The executor, with the names of what was launched.
class Seen : public simt::SimtDevice {
 public:
  explicit Seen(int processors) { set_processors(processors); }
  void launch(const char* kernel,
              const LaunchShape& shape,
              const void* args,
              size_t args_bytes) override {
    names.insert(kernel);
    blocks[kernel] = std::max(blocks[kernel], shape.grid_x * shape.grid_y * shape.grid_z);
    simt::SimtDevice::launch(kernel, shape, args, args_bytes);
  }
  std::set<std::string> names;
  std::map<std::string, int> blocks;
};

DeviceResult run(Seen& device, const Case& c) {
  CaseRun host(c, DType::f32);
  return run_on_device(device, host, {});
}

TEST(TileRule, OneSmallModelIsCutFinerThanAPack) {
  constexpr int kProcessors = 8;
  Seen alone(kProcessors), pack(kProcessors);
  run(alone, matmul_case("M1 N70 K40 O40", {1, 70, 40, 40, false}));  // 2 large tiles for y
  run(pack, matmul_case("M8 N70 K40 O40", {8, 70, 40, 40, false}));   // 16 of them, 8 for dw
  EXPECT_EQ(alone.names,
            (std::set<std::string>{"matmul_y_small", "matmul_dx_small", "matmul_dw_small"}));
  EXPECT_EQ(alone.blocks["matmul_y_small"], 10);
  EXPECT_EQ(pack.names, (std::set<std::string>{"matmul_y", "matmul_dx", "matmul_dw"}));
}

TEST(TileRule, TilesThatWouldBeMostlyEmptyAreSmallInAnyPack) {
  Seen device(1);
  run(device, matmul_case("M2 N70 K40 O20", {2, 70, 40, 20, false}));
  EXPECT_TRUE(device.names.contains("matmul_y_small")) << "20 of 64 columns";
  EXPECT_TRUE(device.names.contains("matmul_dx"));
}

TEST(TileRule, FewRowsOfLogitsAreCutFiner) {
  const Case one = linear_xent_case("M1 N20 V130 D12", {{1, 2, 10, 130, 1, 1, 0.5}, 12, true});
  Seen small(1), large(8);
  EXPECT_EQ(run(small, one).gradients, run(large, one).gradients);
  EXPECT_TRUE(small.names.contains("linear_xent_forward_64"));
  EXPECT_TRUE(small.names.contains("linear_xent_dw_64"));
  EXPECT_TRUE(large.names.contains("linear_xent_forward_64_few"));
  EXPECT_TRUE(large.names.contains("linear_xent_dx_64_few"));
  EXPECT_EQ(large.blocks["linear_xent_dw_16"], 9) << "130 classes, 16 at a time";
}

// As on a GPU of one multiprocessor and on one that nothing fills.
TEST(TileRule, TheChoiceChangesNoBit) {
  std::vector<Case> list = linear_xent_cases();
  for (Case& c : matmul_cases()) {
    list.push_back(std::move(c));
  }
  list.push_back(linear_xent_case("M2 N70 V20 D150", {{2, 7, 10, 20, 1, 1, 0.1}, 150, true}));
  std::set<std::string> seen;
  for (const Case& c : list) {
    Seen small(1), large(1 << 20);
    ASSERT_TRUE(run(small, c) == run(large, c)) << c.name;
    seen.insert(small.names.begin(), small.names.end());
    seen.insert(large.names.begin(), large.names.end());
  }
  for (const char* name : {"matmul_y",
                           "matmul_y_small",
                           "matmul_dw",
                           "matmul_dw_small",
                           "linear_xent_dx_16",
                           "linear_xent_dx_16_few",
                           "linear_xent_forward_16",
                           "linear_xent_forward_16_few",
                           "linear_xent_dx_64_few"}) {
    EXPECT_TRUE(seen.contains(name)) << name << " was never compared";
  }
}

/// A device with a library of products, which computes on the host.
class WithLibrary : public simt::SimtDevice {
 public:
  bool library_product(const LargeProduct& p) override {
    taken.push_back(p);
    if (!takes) {
      return false;
    }
    const auto read = [&](const float* from, int64_t n) {
      std::vector<float> x(static_cast<size_t>(n));
      to_host(x.data(), from, x.size() * sizeof(float));
      return x;
    };
    const std::vector<float> a = read(p.a, p.R * p.depth), b = read(p.b, p.C * p.depth);
    std::vector<float> out = read(p.out, p.R * p.C);
    if (!p.adds) {
      std::fill(out.begin(), out.end(), 0.0f);
    }
    for (int64_t r = 0; r < p.R; ++r) {
      for (int64_t k = 0; k < p.depth; ++k) {
        const float x = a[static_cast<size_t>(p.wide_a ? k * p.R + r : r * p.depth + k)];
        for (int64_t c = 0; c < p.C; ++c) {
          const auto at = static_cast<size_t>(p.wide_b ? k * p.C + c : c * p.depth + k);
          out[static_cast<size_t>(r * p.C + c)] += x * b[at];
        }
      }
    }
    if (p.bias) {
      const std::vector<float> bias = read(p.bias, p.C);
      for (size_t i = 0; i < out.size(); ++i) {
        out[i] += bias[i % bias.size()];
      }
    }
    to_device(p.out, out.data(), out.size() * sizeof(float));
    return true;
  }
  /// Where the library takes nothing, only what it was asked is of interest.
  void launch(const char* kernel,
              const LaunchShape& shape,
              const void* args,
              size_t args_bytes) override {
    if (takes) {
      simt::SimtDevice::launch(kernel, shape, args, args_bytes);
    } else {
      ours.push_back(kernel);
    }
  }
  bool takes = true;
  std::vector<LargeProduct> taken;
  std::vector<std::string> ours;
};

/// Every product is one of the library, of every listed model, and right.
TEST(LargeProducts, GoToTheLibraryOfTheDevice) {
  constexpr int64_t kLeast = ops::device::kLibraryExtent;
  const Case c = matmul_mode_case("M2", {2, kLeast, kLeast, kLeast, true}, {Precision::bf16});
  WithLibrary device;
  CaseRun host(c, DType::f32);
  const std::vector<int> second = {1};
  const DeviceResult got = run_on_device(device, host, {.models = second});
  ASSERT_EQ(device.taken.size(), 3u);  // y, dx and dw
  for (const LargeProduct& p : device.taken) {
    EXPECT_EQ(p.precision, Precision::bf16);
    EXPECT_EQ(p.alignment, 16);
  }
  EXPECT_EQ(device.launches(), 2) << "the two of dbias";
  host.forward(2);
  host.backward(2, GradientMode::overwrite);
  // Of the second model. Sums of 512 products of size 1 in another order.
  const auto expect_half = [](const std::vector<std::byte>& bytes, const Guarded& want) {
    const auto* x = reinterpret_cast<const float*>(bytes.data());
    const Array e = want.read();
    double worst = 0;
    for (size_t i = e.size() / 2; i < e.size(); ++i) {
      worst = std::max(worst, std::abs(static_cast<double>(x[i]) - e[i]));
    }
    EXPECT_LT(worst, 1e-3);
  };
  expect_half(got.outputs[0], host.outputs()[0]);
  expect_half(got.gradients[0], host.gradients()[0]);
  expect_half(got.gradients[1], host.gradients()[1]);
}

/// How often the library is asked for y, where it takes nothing: our kernels then do it.
size_t asked(MatmulDims d, MatmulMode mode) {
  WithLibrary device;
  device.takes = false;
  const simt::MemoryFaults faults(device.memory());
  Arena arena(device, 1);
  Context ctx{&arena, 1, {}, &device};
  ctx.precision = mode.precision;
  const Tensor x = make_tensor(arena, {d.M, d.N, d.K}, DType::f32);
  const Tensor w = make_tensor(arena, {d.M, d.O, d.K}, mode.narrow ? DType::bf16 : DType::f32);
  ops::matmul(ctx, x, w, {}, make_tensor(arena, {d.M, d.N, d.O}, DType::f32));
  EXPECT_EQ(device.ours.size(), 1u);
  return device.taken.size();
}

TEST(LargeProducts, OthersAreOursWithoutAsking) {
  constexpr int64_t kLeast = ops::device::kLibraryExtent;
  const MatmulDims large{1, kLeast, kLeast, kLeast, false};
  EXPECT_EQ(asked(large, {Precision::f32}), 0u) << "f32 has the CPU's bits";
  EXPECT_EQ(asked(large, {Precision::tf32, true}), 0u) << "w in bf16";
  EXPECT_EQ(asked({1, kLeast - 1, kLeast, kLeast, false}, {Precision::tf32}), 0u);
  EXPECT_EQ(asked({1, kLeast, kLeast - 1, kLeast, false}, {Precision::tf32}), 0u);
  EXPECT_EQ(asked({1, kLeast, kLeast, kLeast - 1, false}, {Precision::tf32}), 0u);
  EXPECT_EQ(asked({2, kLeast, kLeast, kLeast + 1, false}, {Precision::tf32}), 1u) << "and refused";
}

}  // namespace
}  // namespace sv::cases
