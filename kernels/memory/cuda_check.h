// SV_CUDA_CALL: a call of the CUDA runtime that throws with its text, place and error name.
#pragma once
#include <cuda_runtime.h>

#include "core/check.h"

namespace sv::cuda {

/// Throws (Exit::environment) unless `status` is success; clears the runtime's last error.
void check(cudaError_t status, const char* call, const char* file, int line);

}  // namespace sv::cuda

#define SV_CUDA_CALL(call) ::sv::cuda::check((call), #call, __FILE__, __LINE__)
