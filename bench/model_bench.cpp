// Speed of whole training steps and of inference through the loop, at the shapes of
// timing/shapes.h, as GFLOP/s and as a share of the multiply-add peak measured in this process.
//
//   SV_ISA=avx2 model_bench --benchmark_filter=train/R1
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "experiments/timing/model_timing.h"
#include "interp/run.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/machine.h"

namespace sv::bench {
namespace {

double peak(int threads) {
  static const double one = cpu::fma_peak(1), two = cpu::fma_peak(2);
  return threads == 1 ? one : two * threads / 2;
}

void report(benchmark::State& state, double flop, int threads) {
  using benchmark::Counter;
  state.counters["FLOP"] = Counter(flop, Counter::kIsIterationInvariantRate);
  state.counters["of_peak"] =
      Counter(flop / (peak(threads) * 1e9), Counter::kIsIterationInvariantRate);
}

void train(benchmark::State& state,
           const Shape& s,
           int seeds,
           int batch,
           int threads,
           int most_lanes = kMaxLanes) {
  TrainTiming timing(s, seeds, batch, kLoops, threads, most_lanes);
  timing.step();
  for ([[maybe_unused]] auto _ : state) {
    timing.step();
  }
  report(state, timing.flop(), threads);
}

/// One iteration of `batch` sequences: a run of kIterations, divided.
void infer(benchmark::State& state, const Shape& s, int batch, int threads) {
  LoopTiming timing(s, 1, batch, kIterations, threads);
  for ([[maybe_unused]] auto _ : state) {
    timing.run();
  }
  state.counters["per_iteration"] = benchmark::Counter(
      kIterations, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
  report(state, timing.flop(), threads);
}

/// The same runs with taps: on the state of every update, on one site inside a block (which is then
/// computed op by op), at all sites, and a write at one position. Against "none" they say what
/// looking costs.
void taps(benchmark::State& state, const Shape& s, const std::string& what) {
  const auto model = model_of(s, 1);
  const Dataset data(task_of(s), Split::test, 0, s.batch, false);
  Arena arena;
  PackedWeights packed;
  packed.pack({&arena, 1, {}}, model->params());
  const Batch batch = data.range(0, std::max(1, kGroupTokens / s.tokens));
  double seen = 0;
  Tap tap;
  tap.action = [&](const TapEvent& e) { seen += static_cast<double>(e.x.as<float>()[0]); };
  Taps list;
  for (const char* pattern : {"loop.*.state_out", "loop.*.block.*.*", "loop.*.injected"}) {
    tap.pattern = pattern;
    list.push_back(tap);
  }
  if (what != "all") {
    list.resize(1);
  }
  if (what == "inside") {
    list[0].pattern = "loop.*.block.0.attn_out";
  }
  if (what == "patch") {
    list[0].kind = Tap::Kind::replace;
    list[0].select.positions = {0};
    list[0].action = [](const TapEvent& e) { e.x.as<float>()[0] += 1; };
  }
  for ([[maybe_unused]] auto _ : state) {
    arena.reset();
    Tape tape({&arena, 1, {}}, false);
    Plan plan;
    plan.depth = Depth::fixed(kIterations);
    plan.packed = &packed;
    plan.taps = what == "none" ? nullptr : &list;
    Trajectory out;
    unroll(*model, load_inputs(tape.ctx, batch), plan, tape, out);
  }
  benchmark::DoNotOptimize(seen);
}

double milliseconds(auto&& f) {
  const auto start = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

/// What halting saves: the queue against the same sequences without halting, turn by turn. The goal
/// for `of_all` is 1.25 times `share`, the mean over the largest number of iterations.
void halting(benchmark::State& state, int sequences, int threads) {
  HaltTiming timing(shapes()[0], sequences, kIterations, threads);
  timing.queue();
  std::vector<double> of_all, in_step;
  for ([[maybe_unused]] auto _ : state) {
    const double all = milliseconds([&] { timing.all(); });
    const double queue = milliseconds([&] { timing.queue(); });
    in_step.push_back(milliseconds([&] { timing.in_step(); }) / all);
    of_all.push_back(queue / all);
    state.SetIterationTime(queue * 1e-3);
  }
  const auto median = [](std::vector<double>& x) {
    std::ranges::nth_element(x, x.begin() + static_cast<std::ptrdiff_t>(x.size() / 2));
    return x[x.size() / 2];
  };
  state.counters["of_all"] = median(of_all);
  state.counters["in_step_of_all"] = median(in_step);
  state.counters["share"] = timing.share();
  state.counters["goal"] = 1.25 * timing.share();
}

void add(const std::string& name, auto f) {
  benchmark::RegisterBenchmark(name.c_str(), f)->UseRealTime()->Unit(benchmark::kMillisecond);
}

void register_all() {
  for (const Shape& s : shapes()) {
    for (const int threads : {1, 2}) {
      const std::string on = "/threads:" + std::to_string(threads);
      add("train/" + s.name + on,
          [=](benchmark::State& state) { train(state, s, 1, s.batch, threads); });
      add("infer/" + s.name + on,
          [=](benchmark::State& state) { infer(state, s, 4 * s.batch, threads); });
      add("infer1/" + s.name + on, [=](benchmark::State& state) { infer(state, s, 1, threads); });
    }
  }
  // What bits that do not follow the threads cost: gradients summed in fixed lanes, against one
  // lane a thread, whose sum would change with their number.
  for (const int shape : {0, 1}) {
    const Shape& s = shapes()[static_cast<size_t>(shape)];
    for (const int lanes : {kMaxLanes, 2}) {
      add("determinism/" + s.name + "/lanes:" + std::to_string(lanes),
          [=](benchmark::State& state) { train(state, s, 1, s.batch, 2, lanes); });
    }
  }
  for (const char* what : {"none", "one", "inside", "all", "patch"}) {
    for (const int shape : {0, 1}) {
      const Shape& s = shapes()[static_cast<size_t>(shape)];
      add("taps/" + s.name + "/" + what, [=](benchmark::State& state) { taps(state, s, what); });
    }
  }
  for (const int threads : {1, 2}) {
    const std::string name = "halting/R1/threads:" + std::to_string(threads);
    benchmark::RegisterBenchmark(name.c_str(),
                                 [=](benchmark::State& state) { halting(state, 256, threads); })
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond);
  }
  for (const int batch : {4, 64}) {
    for (const int seeds : {1, 8}) {
      add("pack/R1/batch:" + std::to_string(batch) + "/seeds:" + std::to_string(seeds),
          [=](benchmark::State& state) { train(state, shapes()[0], seeds, batch, 2); });
    }
  }
}

}  // namespace
}  // namespace sv::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return 2;
  }
  benchmark::AddCustomContext("isa", std::string(sv::cpu::isa_name(sv::cpu::isa())));
  benchmark::AddCustomContext("fma_peak_1", std::to_string(sv::cpu::fma_peak(1)));
  benchmark::AddCustomContext("fma_peak_2", std::to_string(sv::cpu::fma_peak(2)));
  benchmark::AddCustomContext("stream_2", std::to_string(sv::cpu::stream_bandwidth(2)));
  sv::bench::register_all();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
