// The calls that gpu_check times: one of each op, and of matmul one for each of its kernels.
#pragma once
#include <string>
#include <vector>

#include "gpu/op_time.h"

namespace sv::gpu {

struct TimedCase {
  cases::Case call;
  bool product = false;  // matrix products: their rate is compared with the device's
  Precision precision = Precision::f32;
};

std::vector<TimedCase> timed_cases(const std::string& op, const TimeOptions& options);

}  // namespace sv::gpu
