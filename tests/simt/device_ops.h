// Which ops have device kernels, one line each, for the executor's tests and for gpu_check; and
// which have none.
#pragma once
#include <string>
#include <vector>

namespace sv::cases {

/// `cut`: chooses its kernels by Device::processors() too. `vjp_tolerance` is that of the f32 VJP
/// against the CPU's, as a multiple of the case's own; see tests/kernels/op_gradient_test.cpp for
/// the 10.
struct DeviceOp {
  std::string op;
  bool cut = false;
  double vjp_tolerance = 10;
};

inline const std::vector<DeviceOp>& device_ops() {
  static const std::vector<DeviceOp> kOps = {
      {"activate"},
      {"adamw"},
      {"attention_fused"},
      {"attention_mix"},
      {"attention_pattern"},
      {"compact"},
      {"concat"},
      {"elementwise"},
      {"embed"},
      {"halt"},
      {"layernorm"},
      {"linear_xent", true},
      {"matmul", true},
      {"mlp"},
      {"readout_stats"},
      {"reduce"},
      {"rmsnorm"},
      {"rope"},
      {"rows"},
      {"sample"},
      {"sigmoid_xent"},
      {"silu_gate"},
      {"softmax_xent"},
      {"unfold"},
  };
  return kOps;
}

/// Ops that the CPU alone computes: a device is refused.
inline const std::vector<std::string>& host_ops() {
  static const std::vector<std::string> kOps = {"adam_atan2",
                                                "broadcast",
                                                "columns",
                                                "gather_positions",
                                                "grouped_matmul",
                                                "nll",
                                                "positions",
                                                "sgd",
                                                "softmax",
                                                "sum",
                                                "transpose"};
  return kOps;
}

}  // namespace sv::cases
