// One case of an op on a device: against its reference in double and the CPU, and again and again.
#pragma once
#include <set>
#include <string>

#include "gpu/recorder.h"
#include "kernels/ops/case.h"

namespace sv::gpu {

/// What the forward call, or the VJP, was found to do.
struct PartResult {
  std::set<std::string> kernels;  // that ran
  double error = 0;          // the largest, as a share of what is allowed; above 1 is a failure
  int repeats = 0;           // runs that gave the same bits
  std::string problem = {};  // empty: none
};
struct CaseResult {
  PartResult forward, vjp;
};

struct CaseOptions {
  double vjp_tolerance = 10;  // multiplies the case's, for the VJP against the CPU's
  int repeats = 100;          // runs of forward and VJP, compared bit for bit
  bool reference = true;  // false: against the CPU alone, for sizes where the reference takes long
  int threads = 1;        // of the CPU
};

/// Forward against the reference and the CPU, VJP against the CPU, overwriting and adding; then the
/// repeats.
CaseResult check_case(Recorder& device, const cases::Case& c, const CaseOptions& options);

}  // namespace sv::gpu
