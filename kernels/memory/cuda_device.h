// CudaDevice: one GPU as a Device, with a stream, pinned staging and the kernels of this build.
//
// All work is ordered on one stream. Memory comes from cudaMalloc: the Arena above it asks for
// whole blocks and keeps them, so a steady step allocates nothing.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "kernels/memory/device.h"

namespace sv::cuda {

class KernelTable;

/// What a GPU says about itself.
struct DeviceInfo {
  int index = 0;
  std::string name;
  int major = 0, minor = 0;  // compute capability
  int processors = 0;        // SMs
  size_t bytes = 0;          // of memory
};

/// The GPUs that the driver shows; none where there is no driver.
std::vector<DeviceInfo> devices();
/// Why devices() is empty, and what to do about it, in one sentence; empty where it is not.
std::string why_none();
/// "13.0 (driver 13.1)": the runtime in this program, and what the driver supports (0.0: no
/// driver).
std::string versions();
/// What a GPU is opened with.
struct Options {
  /// Large products in tf32 and bf16 (ops/matmul/matmul_device.h) by cuBLASLt, where it is
  /// installed.
  bool cublaslt = true;
  /// Kernels beside those of the ops, which tests bring; read while the device is opened.
  const KernelTable* more = nullptr;
};
/// Opens a GPU; throws (Exit::environment) where it does not exist or this build has no code for
/// it.
std::unique_ptr<Device> open(int index, const Options& options = {});

}  // namespace sv::cuda
