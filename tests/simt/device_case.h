// A Case of an op on a Device: every argument an allocation of its own, forward and VJP, and the
// results back on the host.
#pragma once
#include <memory>
#include <span>
#include <vector>

#include "kernels/memory/device.h"
#include "kernels/ops/case_run.h"

namespace sv::cases {

/// What a call wrote, as bytes: outputs, then gradients (empty where there is none).
struct DeviceResult {
  std::vector<std::vector<std::byte>> outputs, gradients;
  bool operator==(const DeviceResult&) const = default;
};

struct DeviceCall {
  std::span<const int> models = {};
  GradientMode mode = GradientMode::overwrite;
  bool backward = true;
};

/// The arguments of a case in device memory: inputs and cotangents as in `host`, outputs and
/// gradients as sentinels, outputs that are changed in place as they start.
class DeviceCase {
 public:
  DeviceCase(Device& device, const CaseRun& host);
  ~DeviceCase();
  DeviceCase(const DeviceCase&) = delete;
  DeviceCase& operator=(const DeviceCase&) = delete;

  void forward(const Context& ctx) const;
  void backward(const Context& ctx, GradientMode mode) const;
  /// Outputs and gradients as they were at first: sentinels, or what is changed in place.
  void poison() const;
  /// Every gradient element becomes 0.5, to be added to.
  void start_gradients() const;
  std::vector<std::vector<std::byte>> outputs() const;
  std::vector<std::vector<std::byte>> gradients() const;

 private:
  struct Lists;
  const CaseRun& host_;
  std::unique_ptr<Lists> lists_;
};

/// Runs the case's forward call and, where it has one, its VJP. Outputs and gradients start as the
/// sentinel 0xA5 (accumulated gradients as 0.5). `host` gives the arguments.
DeviceResult run_on_device(Device& device, CaseRun& host, const DeviceCall& call);

}  // namespace sv::cases
