#include "gpu/op_time.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <vector>

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

OpTime time_op(Recorder& device, const std::string& op, const TimeOptions& options) {
  CaseRun host(cases::sized_case(op, options.dims), DType::f32);
  const Case& c = host.description();
  Arena arena(device);
  const cases::DeviceCase on(device, host);
  const Context ctx{&arena, 1, {}, &device};
  OpTime time;
  // A call, then each of its kernels by the launches it made: their memory is still there.
  const auto measure = [&](const std::function<void()>& call, double bytes) {
    device.take();
    call();
    const std::vector<Launch> launches = device.take();
    const double seconds = seconds_of(device, call, options.seconds);
    for (const Launch& launch : launches) {
      if (time.kernels.contains(launch.kernel)) {
        continue;
      }
      const auto again = [&] {
        device.device().launch(
            launch.kernel.c_str(), launch.shape, launch.args.data(), launch.args.size());
      };
      time.kernels[launch.kernel] = {seconds_of(device, again, options.seconds),
                                     bytes / seconds * 1e-9};
    }
    device.take();
    return seconds;
  };
  time.forward = measure([&] { on.forward(ctx); }, c.bytes);
  if (c.vjp) {
    time.vjp = measure([&] { on.backward(ctx, GradientMode::overwrite); }, vjp_bytes(host));
  }
  return time;
}

}  // namespace sv::gpu
