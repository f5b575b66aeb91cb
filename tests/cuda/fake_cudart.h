// A stand-in for the CUDA runtime, so that CudaDevice runs where there is no GPU: device memory is
// host memory, and what is asynchronous happens as late as it may.
#pragma once
#include <cuda_runtime_api.h>

#include <functional>
#include <string>
#include <vector>

namespace sv::fake {

struct Launch {
  const void* entry;
  dim3 grid, block;
  std::vector<std::byte> args;
  size_t shared;
};

/// What the runtime is asked to be, and what it saw. One for the process; reset() before each test.
struct Runtime {
  int device_count = 1;
  cudaError_t count_error = cudaSuccess;
  int driver = 13000;                // 0: there is none
  size_t memory = size_t{64} << 20;  // of the device
  bool has_code = true;              // for the device's architecture
  int shared_optin = 96 << 10;
  cudaError_t fault = cudaSuccess;  // what the next synchronisation after a launch reports
  cudaError_t launch_error = cudaSuccess;
  int fail_call = -1;  // this call (from 0) returns cudaErrorUnknown

  std::vector<std::string> calls;  // names, in order
  std::vector<Launch> launches;
  std::vector<std::pair<const void*, int>> shared_limits;
  size_t args_bytes = 0;                    // of a launch
  size_t used = 0;                          // device bytes
  int pinned = 0, events = 0, streams = 0;  // that live
  std::vector<std::string> ranges;          // of NVTX: names as they open, "-" as they close
};
Runtime& runtime();
void reset();

}  // namespace sv::fake
