#include "gpu/op_time.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <vector>

#include "gpu/timed_cases.h"
#include "kernels/ops/case_run.h"
#include "simt/device_case.h"

namespace sv::gpu {

using cases::Case;
using cases::CaseRun;

namespace {

/// Seconds of one call: after one to warm up, as many in a row as take options.seconds.
double seconds_of(Device& device, const std::function<void()>& call, double wanted) {
  using Clock = std::chrono::steady_clock;
  call();
  device.synchronise();
  for (int64_t count = 1;; count *= 4) {
    const auto start = Clock::now();
    for (int64_t i = 0; i < count; ++i) {
      call();
    }
    device.synchronise();
    const double took = std::chrono::duration<double>(Clock::now() - start).count();
    if (took >= wanted) {
      return took / static_cast<double>(count);
    }
  }
}

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

}  // namespace

double copy_rate(Device& device, const TimeOptions& options) {
  void* from = device.alloc(options.copy_bytes);
  void* to = device.alloc(options.copy_bytes);
  device.zero(from, options.copy_bytes);
  const double seconds = seconds_of(
      device, [&] { device.copy(to, from, options.copy_bytes); }, options.seconds);
  device.free(from);
  device.free(to);
  return 2 * static_cast<double>(options.copy_bytes) / seconds;
}

namespace {

/// What one call of a case is worth, for the rates of its kernels.
struct Work {
  double bytes, flops;
};

/// Times one case after the other, and each of their kernels where it is first seen.
class Timer {
 public:
  Timer(Recorder& device, const TimeOptions& options) : device_(device), options_(options) {}

  void add(const TimedCase& timed) {
    const CaseRun host(timed.call, DType::f32);
    const Case& c = host.description();
    Arena arena(device_);
    const cases::DeviceCase on(device_, host);
    const Context ctx{&arena, 1, {}, &device_};
    rate_ = timed.product ? device_.matrix_rate(timed.precision) : 0;
    const double flops = timed.product ? c.flops : 0;
    const double forward = measure([&] { on.forward(ctx); }, {c.bytes, flops});
    double vjp = 0;
    if (c.vjp) {
      // A product without the gradient of its weights is one product again.
      const double work = c.inputs.size() > 1 && !c.inputs[1].differentiable ? flops : 2 * flops;
      vjp = measure([&] { on.backward(ctx, GradientMode::overwrite); }, {vjp_bytes(host), work});
    }
    if (time_.forward == 0) {
      time_.forward = forward;
      time_.vjp = vjp;
    }
  }
  const OpTime& time() const { return time_; }

 private:
  /// A call, then each of its kernels by the launches it made: their memory is still there.
  double measure(const std::function<void()>& call, Work work) {
    device_.take();
    call();
    const std::vector<Launch> launches = device_.take();
    const double seconds = seconds_of(device_, call, options_.seconds);
    const double gflops = work.flops / seconds * 1e-9;
    for (const Launch& launch : launches) {
      if (time_.kernels.contains(launch.kernel)) {
        continue;
      }
      const auto again = [&] {
        device_.device().launch(
            launch.kernel.c_str(), launch.shape, launch.args.data(), launch.args.size());
      };
      time_.kernels[launch.kernel] = {seconds_of(device_, again, options_.seconds),
                                      work.bytes / seconds * 1e-9,
                                      gflops,
                                      rate_ > 0 ? gflops * 1e9 / rate_ : 0};
    }
    device_.take();
    return seconds;
  }

  Recorder& device_;
  const TimeOptions& options_;
  OpTime time_;
  double rate_ = 0;
};

}  // namespace

OpTime time_op(Recorder& device, const std::string& op, const TimeOptions& options) {
  Timer timer(device, options);
  for (const TimedCase& timed : timed_cases(op, options)) {
    timer.add(timed);
  }
  return timer.time();
}

}  // namespace sv::gpu
