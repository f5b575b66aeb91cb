// What tests of models on a device share: the executor as the device, and the same model on both
// sides.
#pragma once
#include "kernels/memory/copy.h"
#include "kernels/simt/memory_faults.h"
#include "kernels/simt/simt_device.h"
#include "models/model_fixture.h"

namespace sv::models_test {

/// Device memory that host code touches ends the test with a message: this is what shows that no
/// file of models or interp reads a tensor without a copy.
class DeviceTest : public testing::Test {
 protected:
  void TearDown() override { EXPECT_GT(device_.launches(), 0) << "nothing ran on the device"; }
  simt::SimtDevice device_;
  simt::MemoryFaults faults_{device_.memory()};
};

inline std::vector<float> numbers(Device* device, const Tensor& x) {
  std::vector<float> out(static_cast<size_t>(x.numel()));
  read_tensor(device, out.data(), x);
  return out;
}

/// The weights of `from` in a model of the same settings on the device.
inline std::unique_ptr<Reasoner> copy_on(Device* device,
                                         const ModelSettings& settings,
                                         const Reasoner& from) {
  auto model = make_reasoner({settings, tiny_task(), from.params().seeds(), DType::f32, device});
  for (size_t i = 0; i < from.params().size(); ++i) {
    const auto id = static_cast<ParamId>(i);
    write_tensor(device, model->params()[id].value, from.params()[id].value.tensor().data);
  }
  return model;
}

/// The largest |a - b| / (1 + |b|).
inline double distance(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  double most = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    const double x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
    most = std::max(most, std::abs(x - y) / (1 + std::abs(y)));
    EXPECT_EQ(std::isfinite(x), std::isfinite(y));
  }
  return most;
}

}  // namespace sv::models_test
