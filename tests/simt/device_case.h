// A Case of an op on a Device: every argument an allocation of its own, forward and VJP, and the
// results back on the host.
#pragma once
#include <map>
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

/// Runs the case's forward call and, where it has one, its VJP. Outputs and gradients start as the
/// sentinel 0xA5 (accumulated gradients as 0.5). `host` gives the arguments.
DeviceResult run_on_device(Device& device, CaseRun& host, const DeviceCall& call);

}  // namespace sv::cases
