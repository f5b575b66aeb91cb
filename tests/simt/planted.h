// Kernels written in a test, and the report that a launch of them ends with.
#pragma once
#include <gtest/gtest.h>

#include <string>

#include "kernels/simt/simt_device.h"
#include "kernels/simt/thread_context.h"

namespace sv::simt {

/// Arguments of a planted kernel: two places in device memory.
struct PlantedArgs {
  const float* in = nullptr;
  float* out = nullptr;
  int* flag = nullptr;
};

/// A kernel from a generic lambda f(ctx, args) without captures.
template <class F>
struct Planted {
  static constexpr const char* kName = "planted";
  static constexpr int kMaxBlock = 4096;  // leaves larger blocks to the executor's own check
  using Args = PlantedArgs;
  static void body(ThreadContext& ctx, const Args& a) { F{}(ctx, a); }
};

/// Runs f as a kernel; args are passed on.
template <class F>
void run_planted(SimtDevice& device, const LaunchShape& shape, F, const PlantedArgs& args = {}) {
  if (!device.kernels().has("planted")) {
    device.kernels().add<Planted<F>>();
  }
  device.launch("planted", shape, &args, sizeof args);
}

/// The report that f ends with, or "no report". A fresh device, so that each f is a kernel of its
/// own.
template <class F>
std::string report_of(const LaunchShape& shape,
                      F f,
                      const Schedule& schedule = {},
                      SwitchKind kind = default_switch()) {
  SimtDevice device(2, kind);
  device.set_schedule(schedule);
  auto* memory = static_cast<float*>(device.alloc(4096));
  device.zero(memory, 4096);
  std::string report = "no report";
  try {
    run_planted(device, shape, f, {memory, memory + 512, reinterpret_cast<int*>(memory + 1000)});
  } catch (const Fault& fault) {
    report = fault.what();
  }
  device.free(memory);
  return report;
}

/// Device memory as floats, for a test's inputs and results.
class DeviceFloats {
 public:
  DeviceFloats(SimtDevice& device, const std::vector<float>& values)
      : device_(device),
        count_(values.size()),
        data_(static_cast<float*>(device.alloc(values.size() * sizeof(float)))) {
    device_.to_device(data_, values.data(), values.size() * sizeof(float));
  }
  ~DeviceFloats() { device_.free(data_); }
  DeviceFloats(const DeviceFloats&) = delete;
  DeviceFloats& operator=(const DeviceFloats&) = delete;
  float* data() const { return data_; }
  std::vector<float> read() const {
    std::vector<float> values(count_);
    device_.to_host(values.data(), data_, count_ * sizeof(float));
    return values;
  }

 private:
  SimtDevice& device_;
  size_t count_;
  float* data_;
};

}  // namespace sv::simt
