// The calls that are timed: one of each op, and of matmul one for each of its kernels.
#pragma once
#include <string>
#include <vector>

#include "gpu/op_time.h"

namespace sv::gpu {

struct TimedCase {
  cases::Case call;
  std::string run;       // the name of its calls, as in kernels/gpu_goals.json
  bool product = false;  // of a given precision: its forward call has the name alone
};

std::vector<TimedCase> timed_cases(const std::string& op, const TimeOptions& options);
/// The products that a library may take over.
std::vector<TimedCase> library_cases(const TimeOptions& options);

}  // namespace sv::gpu
