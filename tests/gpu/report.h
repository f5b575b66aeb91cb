// The check of a device's kernels: every case of every op against its reference and the CPU, again
// and again, and one shape that fills the chip.
#pragma once
#include <string>
#include <vector>

#include "gpu/op_check.h"
#include "gpu/runs.h"
#include "kernels/ops/sized_case.h"

namespace sv::gpu {

struct CheckOptions {
  int repeats = 100;
  bool tiny = false;  // the smallest case of each op, once: for the sanitizer
  bool large = true;  // also a shape that fills the chip
  cases::SizedDims dims{
      .M = 4, .B = 64, .T = 64, .d = 256, .out = 256, .heads = 8, .hidden = 512, .vocab = 256};
  int threads = 1;   // of the CPU, for that shape
  std::string only;  // one op; empty: all
};

/// One kernel of this build (kernels/cuda/kernel_states.py, ROW).
struct KernelReport {
  std::string kernel, op, source;
  int cases = 0;
  int repeats = 0;
  double error = 0;
  std::string problem;  // empty: it passes
};

struct Report {
  std::vector<KernelReport> kernels;  // those of the ops that were checked
  std::vector<std::string> problems;  // of ops as a whole
  bool passed() const;
};

/// Prints one line per op. A fault of the device ends it: the rest is unchecked. With all ops and
/// repeats, adds "check.repeats" to the runs.
Report check_device(Device& device, const CheckOptions& options, Runs& runs);
/// One line per kernel.
std::string report_table(const Report& report);

}  // namespace sv::gpu
