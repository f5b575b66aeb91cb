#include "experiments/timing/timing.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "kernels/cpu/machine.h"
#include "kernels/ops/case_run.h"

namespace sv::bench {

namespace {

constexpr double kRepetitionSeconds = 0.02;
constexpr double kMaxCalls = 1e6;

double seconds_of_calls(const std::function<void()>& call, int64_t count) {
  const auto start = std::chrono::steady_clock::now();
  for (int64_t i = 0; i < count; ++i) {
    call();
  }
  const std::chrono::duration<double> all = std::chrono::steady_clock::now() - start;
  return all.count() / static_cast<double>(count);
}

/// Linear between the two neighbours, as numpy does by default.
double quantile_of(const std::vector<double>& sorted, double share) {
  const double at = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(at);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

cases::Tensors tensors_of(const std::vector<cases::Guarded>& list) {
  cases::Tensors out;
  for (const cases::Guarded& g : list) {
    out.push_back(g.tensor());
  }
  return out;
}

double bytes_of(const cases::Tensors& list) {
  double bytes = 0;
  for (const Tensor& t : list) {
    bytes += static_cast<double>(t.bytes());
  }
  return bytes;
}

}  // namespace

Timing timing_of(std::vector<double> seconds) {
  SV_CHECK(!seconds.empty(), "nothing was timed");
  std::sort(seconds.begin(), seconds.end());
  return {quantile_of(seconds, 0.5),
          quantile_of(seconds, 0.25),
          quantile_of(seconds, 0.75),
          static_cast<int>(seconds.size())};
}

Timing time_call(const std::function<void()>& call, const std::function<void(int)>& tick) {
  double once = seconds_of_calls(call, 1);  // the first one warms caches and arenas
  if (once < 5 * kRepetitionSeconds) {
    once = seconds_of_calls(call, 1);
  }
  const double calls = std::clamp(std::ceil(kRepetitionSeconds / once), 1.0, kMaxCalls);
  std::vector<double> seconds;
  for (int r = 0; r < kRepetitions; ++r) {
    seconds.push_back(seconds_of_calls(call, static_cast<int64_t>(calls)));
    if (tick) {
      tick(r + 1);
    }
  }
  return timing_of(std::move(seconds));
}

Limits machine_limits(int threads) {
  return {cpu::fma_peak(threads), cpu::stream_bandwidth(threads)};
}

Limits machine_limits(int threads, const Limits& before) {
  const Limits after = machine_limits(threads);
  return {std::max(before.gflops, after.gflops), std::max(before.gbs, after.gbs)};
}

double Mark::limit(const Limits& limits) const {
  return std::min(limits.gflops, intensity() * limits.gbs);
}

double Mark::reached(const Limits& limits) const {
  const double least = std::max(flops / limits.gflops, bytes / limits.gbs) * 1e-9;
  return least / seconds.median;
}

OpMarks time_op(const std::string& op,
                const cases::SizedDims& dims,
                DType dtype,
                int threads,
                bool vjp,
                const std::function<void(int)>& tick) {
  cases::CaseRun run(cases::sized_case(op, dims), dtype);
  run.forward(threads);  // fills what is updated in place; from here on the op alone is called
  const cases::Case& c = run.description();
  const Context ctx{&run.arena(), threads, {}};
  const cases::Tensors in = tensors_of(run.inputs()), out = tensors_of(run.outputs());
  OpMarks marks;
  const double wide = dtype == DType::f64 ? 2 : 1;  // the case counts bytes in single precision
  marks.forward = {op, c.flops, wide * c.bytes, time_call([&] { c.run(ctx, in, out); }, tick)};
  if (!vjp || !c.vjp) {
    return marks;
  }
  const cases::Tensors dout = tensors_of(run.cotangents()), din = tensors_of(run.gradients());
  cases::Grads grads;
  for (size_t i = 0; i < din.size(); ++i) {
    grads.push_back(c.inputs[i].differentiable ? Grad{din[i], GradientMode::overwrite} : Grad{});
  }
  marks.vjp = {op + " vjp",
               2 * c.flops,
               bytes_of(in) + bytes_of(dout) + bytes_of(din),
               time_call([&] { c.vjp(ctx, in, out, dout, grads); }, tick)};
  return marks;
}

}  // namespace sv::bench
