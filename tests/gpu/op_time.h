// How long kernels take: a call of an op at a large shape, and each of its launches alone; and
// those numbers as shares of what the device can do.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "gpu/limits.h"
#include "gpu/recorder.h"
#include "kernels/ops/sized_case.h"

namespace sv::gpu {

/// A product that is timed in every precision: x (M, N, K) with w (M, O, K).
struct ProductDims {
  int64_t M, N, K, O;
};

/// Work of one measurement: calls are repeated until it is reached.
struct TimeOptions {
  double seconds = 0.05;
  cases::SizedDims dims{
      .M = 4, .B = 256, .T = 64, .d = 256, .out = 256, .heads = 8, .hidden = 512, .vocab = 256};
  /// Of adamw, whose shape has no rows: with it the weights are far above L2.
  int64_t adamw_out = 2048, adamw_d = 1024;
  ProductDims large{2, 4096, 1024, 1024};  // far above the balance of flops and bytes
  ProductDims small{4, 16384, 128, 128};
  int64_t few = 16;  // rows, or columns, of the others: for the kernels of small tiles
};

/// One call, as it is judged.
struct CallTime {
  std::string name;                          // "rmsnorm.forward", "matmul.large_bf16"
  double seconds = 0, bytes = 0, flops = 0;  // bytes: each argument once; flops 0: no arithmetic
};
struct KernelTime {
  double seconds = 0;  // one launch
  double gbs = 0;      // of the call it was part of: 1e9 bytes per second, each argument once
};
struct OpTime {
  std::vector<CallTime> calls;
  std::map<std::string, KernelTime> kernels;
};

OpTime time_op(Recorder& device, const std::string& op, const TimeOptions& options);
/// matmul's large products again, where the device gives them to a library; none otherwise.
std::vector<CallTime> time_library(Recorder& device, const TimeOptions& options);
/// Adds the share that a call reaches of its limit, if kernels/gpu_goals.json lists the call.
void add_rate(const CallTime& call, const Limits& limits, Runs& runs);

}  // namespace sv::gpu
