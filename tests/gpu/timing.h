// Seconds of calls on a device.
#pragma once
#include <chrono>
#include <cstdint>

#include "kernels/memory/device.h"

namespace sv::gpu {

/// Of one call: after one to warm up, as many in a row as take `wanted` seconds.
template <class F>
double seconds_of(Device& device, F&& call, double wanted) {
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

}  // namespace sv::gpu
