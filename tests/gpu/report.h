// The whole check of a device: every op, repeats, times, and the rows for
// kernels/gpu_validated.json.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "gpu/op_check.h"
#include "gpu/op_time.h"

namespace sv::gpu {

struct CheckOptions {
  int repeats = 100;
  bool tiny = false;  // the smallest case of each op, once: for the sanitizer
  bool timed = true;  // also checks one large shape
  int threads = 1;    // of the CPU, for the large shape
  std::string only;   // one op; empty: all
  TimeOptions time;
};

/// One kernel of this build (kernels/cuda/kernel_states.py, ROW).
struct KernelReport {
  std::string kernel, op, source;
  int cases = 0;
  int repeats = 0;
  double error = 0;
  KernelTime time;
  std::string problem;  // empty: it passes
};

struct Report {
  std::vector<KernelReport> kernels;  // those of the ops that were checked
  std::vector<std::string> problems;  // of ops as a whole
  double copy_gbs = 0;
  bool passed() const;
};

/// Checks and times; prints one line per op. A fault of the device ends it: the rest is unchecked.
Report check_device(Device& device, const CheckOptions& options);
/// One line per kernel.
std::string report_table(const Report& report);
/// The table gpu_validated.json with a row for each kernel that was checked.
std::string report_json(const Report& report,
                        const std::string& gpu,
                        const std::string& driver,
                        const std::string& date);

}  // namespace sv::gpu
