#include "gpu/limits.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <vector>

#include "core/dtype.h"
#include "core/rng.h"
#include "gpu/limits_body.h"
#include "gpu/timing.h"

namespace sv::gpu {

namespace {

/// Memory of a device for one measurement.
template <class T>
class Block {
 public:
  Block(Device& device, size_t count)
      : device_(device), count_(count), data_(static_cast<T*>(device.alloc(count * sizeof(T)))) {
    device.zero(data_, count * sizeof(T));
  }
  Block(Device& device, const std::vector<T>& values) : Block(device, values.size()) {
    device.to_device(data_, values.data(), values.size() * sizeof(T));
  }
  ~Block() { device_.free(data_); }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  T* data() const { return data_; }
  std::vector<T> read() const {
    std::vector<T> values(count_);
    device_.to_host(values.data(), data_, count_ * sizeof(T));
    return values;
  }

 private:
  Device& device_;
  size_t count_;
  T* data_;
};

template <class K>
void run(Device& device, int blocks, int threads, int shared_bytes, const typename K::Args& args) {
  device.launch(K::kName,
                {.grid_x = blocks, .block = threads, .shared_bytes = shared_bytes},
                &args,
                sizeof args);
}

void expect(bool right, const char* kernel) {
  if (!right) {
    throw Error(std::string(kernel) + " gives a wrong result", Exit::failed);
  }
}

int blocks_of(const Device& device, const LimitOptions& o) {
  return device.processors() * o.blocks;
}

/// By a kernel and by the device's own copy: the better of the two.
double copy_rate(Device& device, const LimitOptions& o) {
  const size_t floats = o.copy_bytes / sizeof(float);
  std::vector<float> values(floats);
  std::iota(values.begin(), values.end(), 1.0f);
  const Block<float> from(device, values), to(device, floats);
  const LimitCopy::Args args{from.data(), to.data(), static_cast<int64_t>(floats / 4)};
  const double kernel = seconds_of(
      device,
      [&] { run<LimitCopy>(device, blocks_of(device, o), kLimitThreads, 0, args); },
      o.seconds);
  expect(to.read() == values, LimitCopy::kName);
  const double own = seconds_of(
      device, [&] { device.copy(to.data(), from.data(), o.copy_bytes); }, o.seconds);
  return 2 * static_cast<double>(o.copy_bytes) / std::min(kernel, own);
}

double fma_rate(Device& device, const LimitOptions& o) {
  const int blocks = blocks_of(device, o);
  const Block<float> out(device, static_cast<size_t>(blocks * kLimitThreads));
  // Turns about 0.7: no chain comes to rest.
  const LimitFma::Args args{out.data(), -0.999f, 1.4f, o.steps};
  const double seconds = seconds_of(
      device, [&] { run<LimitFma>(device, blocks, kLimitThreads, 0, args); }, o.seconds);
  const std::vector<float> got = out.read();
  for (const size_t thread : {size_t{0}, size_t{77}, got.size() - 1}) {
    float sum = 0;
    for (int j = 0; j < LimitFma::kChains; ++j) {
      float x = LimitFma::start(static_cast<int64_t>(thread), j);
      for (int s = 0; s < o.steps; ++s) {
        x = std::fma(args.factor, x, args.term);
      }
      sum = sum + x;
    }
    expect(got[thread] == sum, LimitFma::kName);
  }
  return 2.0 * LimitFma::kChains * o.steps * static_cast<double>(got.size()) / seconds;
}

/// Words of fragments: random, and representable in the format.
std::vector<uint32_t> fragments(bool tf32) {
  std::vector<uint32_t> words(32 * 16);
  for (size_t i = 0; i < words.size(); ++i) {
    const auto value = [&](uint32_t stream) {
      return bf16(static_cast<float>(Rng(11, stream).normal(i)));
    };
    const uint32_t low = value(1).bits, high = value(2).bits;
    words[i] = tf32 ? high << 16 : high << 16 | low;
  }
  return words;
}

/// Sums grow by the same products in every step: after n steps they are n times those after one.
template <bool kTf32>
double mma_rate(Device& device, const LimitOptions& o) {
  using K = LimitMma<kTf32>;
  const int blocks = blocks_of(device, o), warps = blocks * kLimitThreads / simt::kWarp;
  const Block<uint32_t> words(device, fragments(kTf32));
  const Block<float> out(device, static_cast<size_t>(warps) * 32 * 32);
  run<K>(device, blocks, kLimitThreads, 0, {words.data(), out.data(), 1});
  const std::vector<float> once = out.read();
  const double seconds = seconds_of(
      device,
      [&] {
        run<K>(device, blocks, kLimitThreads, 0, {words.data(), out.data(), o.steps});
      },
      o.seconds);
  const std::vector<float> got = out.read();
  double most = 0;
  for (const float x : once) {
    most = std::max(most, static_cast<double>(std::abs(x)));
  }
  // Each addition may lose an ulp of a sum that grows to steps * most.
  const double allowed = o.steps * (o.steps * most) * std::ldexp(1.0, -23);
  bool right = most > 0;
  for (size_t i = 0; i < got.size(); ++i) {
    right = right && std::abs(static_cast<double>(got[i]) -
                              o.steps * static_cast<double>(once[i])) <= allowed;
  }
  expect(right, K::kName);
  return K::kFlops * o.steps * warps / seconds;
}

double l2_rate(Device& device, const LimitOptions& o) {
  const int blocks = blocks_of(device, o);
  const int64_t slice = static_cast<int64_t>(o.l2_bytes / 16) / blocks;
  std::vector<float> values(static_cast<size_t>(slice * blocks * 4));
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(i % 3);
  }
  const Block<float> from(device, values);
  const Block<float> out(device, static_cast<size_t>(blocks * kLimitThreads));
  const LimitL2::Args args{from.data(), out.data(), slice, o.rounds};
  const double seconds = seconds_of(
      device, [&] { run<LimitL2>(device, blocks, kLimitThreads, 0, args); }, o.seconds);
  double all = 0, wanted = 0;
  for (const float x : out.read()) {
    all += static_cast<double>(x);  // whole numbers, exact in a float
  }
  for (const float x : values) {
    wanted += static_cast<double>(x);
  }
  expect(all == wanted * o.rounds, LimitL2::kName);
  return static_cast<double>(values.size()) * sizeof(float) * o.rounds / seconds;
}

double shared_rate(Device& device, const LimitOptions& o) {
  const int blocks = blocks_of(device, o);
  const Block<float> out(device, static_cast<size_t>(blocks * kLimitThreads));
  const LimitShared::Args args{out.data(), o.steps};
  const double seconds = seconds_of(
      device,
      [&] { run<LimitShared>(device, blocks, kLimitThreads, LimitShared::kBytes, args); },
      o.seconds);
  float wanted = 0;
  for (int s = 0; s < o.steps; ++s) {
    wanted += LimitShared::value((7 + 32 * s) % LimitShared::kChunks);
  }
  expect(out.read()[7] == wanted, LimitShared::kName);
  return 16.0 * o.steps * blocks * kLimitThreads / seconds;
}

/// Seconds of one step: of twice as many, less those of as many, so that what a launch costs falls
/// out.
double step_seconds(Device& device,
                    const LimitOptions& o,
                    const std::function<void(int steps)>& launch) {
  const double once = seconds_of(
      device, [&] { launch(o.latency_steps); }, o.seconds);
  const double twice = seconds_of(
      device, [&] { launch(2 * o.latency_steps); }, o.seconds);
  return std::max(twice - once, 0.0) / o.latency_steps;
}

/// A list through all of `bytes`, in random order, a line of 128 bytes for each element.
double chase_seconds(Device& device, const LimitOptions& o, size_t bytes) {
  constexpr size_t kLine = 128 / sizeof(int);
  const size_t lines = bytes / 128;
  std::vector<int> order(lines), next(lines * kLine);
  std::iota(order.begin(), order.end(), 0);
  for (size_t i = lines - 1; i > 1; --i) {  // element 0 stays the first
    std::swap(order[i], order[1 + Rng(12, 1).below(i, i)]);
  }
  for (size_t i = 0; i < lines; ++i) {
    next[static_cast<size_t>(order[i]) * kLine] =
        static_cast<int>(static_cast<size_t>(order[(i + 1) % lines]) * kLine);
  }
  const Block<int> list(device, next), out(device, 1);
  const auto launch = [&](int steps) {
    run<LimitChase>(device, 1, simt::kWarp, 0, {list.data(), out.data(), steps});
  };
  launch(o.latency_steps);
  int at = 0;
  for (int s = 0; s < o.latency_steps; ++s) {
    at = next[static_cast<size_t>(at)];
  }
  expect(out.read()[0] == at, LimitChase::kName);
  return step_seconds(device, o, launch);
}

template <class K>
double steps_seconds(Device& device, const LimitOptions& o, int threads) {
  const Block<int> out(device, static_cast<size_t>(threads));
  const auto launch = [&](int steps) { run<K>(device, 1, threads, 0, {out.data(), steps}); };
  launch(o.latency_steps);
  // The shuffle passes lane 1's number to lane 0 in every odd step.
  const int wanted =
      std::is_same_v<K, LimitShuffle> ? o.latency_steps + o.latency_steps % 2 : o.latency_steps;
  expect(out.read()[0] == wanted, K::kName);
  return step_seconds(device, o, launch);
}

double grid_barrier_seconds(Device& device, const LimitOptions& o) {
  const int blocks = device.processors();
  const Block<int> arrived(device, 1), out(device, static_cast<size_t>(blocks));
  const auto launch = [&](int rounds) {
    device.zero(arrived.data(), sizeof(int));
    run<LimitGridBarrier>(device, blocks, 128, 0, {arrived.data(), out.data(), rounds});
  };
  launch(o.latency_steps / 10);
  expect(arrived.read()[0] == blocks * (o.latency_steps / 10), LimitGridBarrier::kName);
  LimitOptions fewer = o;
  fewer.latency_steps /= 10;
  return step_seconds(device, fewer, launch);
}

double launch_seconds(Device& device, const LimitOptions& o) {
  const Block<int> out(device, 1);
  run<LimitEmpty>(device, 1, simt::kWarp, 0, {out.data()});
  expect(out.read()[0] == 1, LimitEmpty::kName);
  return seconds_of(
      device, [&] { run<LimitEmpty>(device, 1, simt::kWarp, 0, {nullptr}); }, o.seconds);
}

}  // namespace

double Limits::by_unit(const std::string& unit) const {
  return unit == "of limits.copy"   ? copy
         : unit == "of limits.fma"  ? fma
         : unit == "of limits.tf32" ? tf32
         : unit == "of limits.bf16" ? bf16
                                    : 0;
}

Limits measure_rates(Device& device, const LimitOptions& o, Runs& runs) {
  const Limits l{copy_rate(device, o),
                 fma_rate(device, o),
                 mma_rate<true>(device, o),
                 mma_rate<false>(device, o)};
  runs.add("limits.copy", l.copy * 1e-9);
  runs.add("limits.fma", l.fma * 1e-12);
  runs.add("limits.tf32", l.tf32 * 1e-12);
  runs.add("limits.bf16", l.bf16 * 1e-12);
  return l;
}

void measure_latencies(Device& device, const LimitOptions& o, Runs& runs) {
  runs.add("limits.l2", l2_rate(device, o) * 1e-9);
  runs.add("limits.shared", shared_rate(device, o) * 1e-9);
  runs.add("limits.l2_latency", chase_seconds(device, o, o.near_bytes) * 1e9);
  runs.add("limits.memory_latency", chase_seconds(device, o, o.far_bytes) * 1e9);
  runs.add("limits.launch", launch_seconds(device, o) * 1e6);
  runs.add("limits.barrier", steps_seconds<LimitBarrier>(device, o, 256) * 1e9);
  runs.add("limits.shuffle", steps_seconds<LimitShuffle>(device, o, simt::kWarp) * 1e9);
  runs.add("limits.grid_barrier", grid_barrier_seconds(device, o) * 1e6);
}

}  // namespace sv::gpu
