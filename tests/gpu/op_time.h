// How long kernels take: a call of an op at a large shape, and each of its launches alone.
#pragma once
#include <map>
#include <string>

#include "gpu/recorder.h"
#include "kernels/ops/sized_case.h"

namespace sv::gpu {

/// The products that are timed, x (M, N, K) with w (M, O, K): the large one is far above the
/// balance of flops and bytes, so that its rate says how near the kernel comes to the device's.
struct ProductDims {
  int64_t M = 2, N = 4096, K = 1024, O = 1024, few = 16;
};

/// Work of one measurement: calls are repeated until it is reached.
struct TimeOptions {
  double seconds = 0.05;
  size_t copy_bytes = size_t{256} << 20;
  cases::SizedDims dims{
      .M = 4, .B = 256, .T = 64, .d = 256, .out = 256, .heads = 8, .hidden = 512, .vocab = 256};
  ProductDims products;
};

struct KernelTime {
  double seconds = 0;  // one launch
  double gbs = 0;      // of the call it was part of: 1e9 bytes per second, each argument once
  double gflops = 0;   // likewise 1e9 operations per second; 0: no matrix product
  double of_rate = 0;  // that, as a share of the device's rate; 0: unknown
};

struct OpTime {
  double forward = 0, vjp = 0;  // seconds of a call, the first that is timed; 0: there is no VJP
  std::map<std::string, KernelTime> kernels;
};

/// Bytes per second of a copy within the device, reads and writes counted.
double copy_rate(Device& device, const TimeOptions& options);
OpTime time_op(Recorder& device, const std::string& op, const TimeOptions& options);

}  // namespace sv::gpu
