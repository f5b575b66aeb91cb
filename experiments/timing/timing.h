// Repeated timing of a call, and how near it comes to what the machine can do: the roofline.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "kernels/memory/tensor.h"
#include "kernels/ops/sized_case.h"

namespace sv::bench {

inline constexpr int kRepetitions = 9;

/// Seconds of one call: median and quartiles over the repetitions.
struct Timing {
  double median = 0, low = 0, high = 0;
  int repetitions = 0;
};
/// Calls once to warm up, then in `kRepetitions` repetitions of as many calls as 20 ms hold (at
/// least one); `tick` hears how many repetitions are done.
Timing time_call(const std::function<void()>& call, const std::function<void(int)>& tick = {});
/// Of the seconds of the repetitions, at least one; for time_call and its test.
Timing timing_of(std::vector<double> seconds);

/// What this process measured of the machine.
struct Limits {
  double gflops = 0;  // single-precision multiply-adds from registers
  double gbs = 0;     // streamed from memory
};
Limits machine_limits(int threads);
/// The same where `before` was measured already: the larger of each, as other work only takes away.
Limits machine_limits(int threads, const Limits& before);

/// One timed thing: its least work and traffic, and the seconds it took.
struct Mark {
  std::string name;
  double flops = 0;  // 0 for copies
  double bytes = 0;  // each argument read or written once
  Timing seconds;

  double gflops() const { return flops / seconds.median * 1e-9; }
  double gbs() const { return bytes / seconds.median * 1e-9; }
  double intensity() const { return flops / bytes; }  // FLOP per byte
  /// min(peak, intensity x bandwidth), GFLOP/s.
  double limit(const Limits& limits) const;
  /// Seconds at the limit over seconds taken; for copies too. Above 1 where a cache serves what the
  /// bandwidth was measured without.
  double reached(const Limits& limits) const;
};

struct OpMarks {
  Mark forward;
  Mark vjp;  // without a name where the op has none; FLOP counted as twice the forward's
};
/// Times the op's case at this shape; `vjp` false leaves the VJP out.
OpMarks time_op(const std::string& op,
                const cases::SizedDims& dims,
                DType dtype,
                int threads,
                bool vjp,
                const std::function<void(int)>& tick = {});

/// Marks with their times beside the limits, one line each, and how to read it.
std::string marks_table(const std::vector<Mark>& marks, const Limits& limits);

}  // namespace sv::bench
