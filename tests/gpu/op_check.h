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

/// Forward against the reference, forward and VJP against the CPU, overwriting and adding; then
/// `repeats` runs of both, compared bit for bit. `vjp_tolerance` multiplies the case's.
CaseResult check_case(Recorder& device, const cases::Case& c, double vjp_tolerance, int repeats);

}  // namespace sv::gpu
