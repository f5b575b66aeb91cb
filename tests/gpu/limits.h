// What a device can do at most: measured, not read from a data sheet. The kernels of other checks
// are judged by these numbers.
#pragma once
#include "gpu/runs.h"
#include "kernels/memory/device.h"

namespace sv::gpu {

/// How much work a measurement makes. The defaults are the short form for a GPU.
struct LimitOptions {
  double seconds = 0.03;                  // of each rate
  size_t copy_bytes = size_t{256} << 20;  // far above L2
  int blocks = 8;                         // on each multiprocessor
  int steps = 4096;                       // of a thread's loop
  size_t l2_bytes = size_t{24} << 20;     // in L2, above all L1 of a block's round
  int rounds = 64;                        // reads of it
  int latency_steps = 20000;              // barriers, shuffles, reads one after the other
  size_t near_bytes = size_t{4} << 20, far_bytes = size_t{256} << 20;  // of lists of reads
};

/// Rates that others are shares of.
struct Limits {
  double copy = 0;                     // bytes per second, reads and writes
  double fma = 0, tf32 = 0, bf16 = 0;  // operations per second
  /// By the unit of a run, "of limits.fma"; 0 where it is none of these.
  double by_unit(const std::string& unit) const;
  double rate(Precision p) const {
    return p == Precision::f32 ? fma : p == Precision::tf32 ? tf32 : bf16;
  }
};

/// Measures these and adds them to the runs. Throws (Exit::failed) where a kernel's result is
/// wrong.
Limits measure_rates(Device& device, const LimitOptions& options, Runs& runs);
/// The rest of what limits_body.h can measure: caches, latencies, barriers.
void measure_latencies(Device& device, const LimitOptions& options, Runs& runs);

}  // namespace sv::gpu
