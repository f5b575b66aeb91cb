#include "gpu/op_time.h"

#include <algorithm>
#include <functional>

#include "gpu/timed_cases.h"
#include "gpu/timing.h"
#include "kernel_states_values.h"
#include "kernels/ops/case_run.h"
#include "simt/device_case.h"

namespace sv::gpu {

using cases::Case;
using cases::CaseRun;

namespace {

/// Bytes of the tensors that a VJP reads and writes, each once.
double vjp_bytes(const CaseRun& host) {
  double bytes = 0;
  for (const auto* list : {&host.inputs(), &host.cotangents(), &host.gradients()}) {
    for (const cases::Guarded& t : *list) {
      bytes += static_cast<double>(t.tensor().bytes());
    }
  }
  return bytes;
}

/// Times one case after the other, and each of their kernels where it is first seen.
class Timer {
 public:
  Timer(Recorder& device, const TimeOptions& options) : device_(device), options_(options) {}

  void add(const TimedCase& timed) {
    const CaseRun host(timed.call, DType::f32);
    const Case& c = host.description();
    Arena arena(device_, size_t{1} << 20);
    const Context ctx{&arena, 1, {}, &device_};
    const cases::DeviceCase on(device_, host);
    measure({timed.run + (timed.product ? "" : ".forward"), 0, c.bytes, c.flops},
            [&] { on.forward(ctx); });
    if (c.vjp) {
      // A product without the gradient of its weights is one product again.
      const double times = c.inputs.size() > 1 && !c.inputs[1].differentiable ? 1 : 2;
      measure({timed.run + (timed.product ? "_vjp" : ".vjp"), 0, vjp_bytes(host), times * c.flops},
              [&] { on.backward(ctx, GradientMode::overwrite); });
    }
  }
  const OpTime& time() const { return time_; }

 private:
  /// A call, then each of its kernels by the launches it made: their memory is still there.
  void measure(CallTime call, const std::function<void()>& run) {
    device_.take();
    run();
    const std::vector<Launch> launches = device_.take();
    call.seconds = seconds_of(device_, run, options_.seconds);
    for (const Launch& launch : launches) {
      if (time_.kernels.contains(launch.kernel)) {
        continue;
      }
      const auto again = [&] {
        device_.device().launch(
            launch.kernel.c_str(), launch.shape, launch.args.data(), launch.args.size());
      };
      time_.kernels[launch.kernel] = {seconds_of(device_, again, options_.seconds),
                                      call.bytes / call.seconds * 1e-9};
    }
    device_.take();
    time_.calls.push_back(call);
  }

  Recorder& device_;
  const TimeOptions& options_;
  OpTime time_;
};

}  // namespace

OpTime time_op(Recorder& device, const std::string& op, const TimeOptions& options) {
  Timer timer(device, options);
  for (const TimedCase& timed : timed_cases(op, options)) {
    timer.add(timed);
  }
  return timer.time();
}

std::vector<CallTime> time_library(Recorder& device, const TimeOptions& options) {
  Timer timer(device, options);
  for (const TimedCase& timed : library_cases(options)) {
    timer.add(timed);
  }
  return device.library_products() > 0 ? timer.time().calls : std::vector<CallTime>{};
}

void add_rate(const CallTime& call, const Limits& limits, Runs& runs) {
  for (const kernel_states::Goal& goal : kernel_states::kGoals) {
    if (call.name == goal.name) {
      const double limit = limits.by_unit(goal.unit);
      SV_CHECK(limit > 0, goal.name, ": nobody measured what it is a share of: ", goal.unit);
      const bool moves = std::string(goal.unit) == "of limits.copy";
      const double work = moves ? call.bytes : call.flops;
      runs.add(goal.name, work / call.seconds / limit);
    }
  }
}

}  // namespace sv::gpu
