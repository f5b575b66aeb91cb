// Which tiles a product takes: small ones where large ones would leave multiprocessors idle, by the
// size of the whole pack; and that the choice changes no bit.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "kernels/ops/linear_xent/cases.h"
#include "kernels/ops/matmul/cases.h"
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

}  // namespace
}  // namespace sv::cases
