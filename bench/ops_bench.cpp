// Speed of matmul and attention, forward and backward, at the shapes of the demo's training step,
// beside Eigen's product of the same matrices (its threading is off: compare with the rows of one
// thread).
//
//   SV_ISA=avx2 bench/ops_bench --benchmark_repetitions=5 --benchmark_report_aggregates_only=true
#include <benchmark/benchmark.h>

#include <Eigen/Core>

#include "core/rng.h"
#include "kernels/cpu/isa.h"
#include "kernels/ops/attention/attention.h"
#include "kernels/ops/matmul/matmul.h"

namespace sv {
namespace {

// The demo trains 5 models on batches of 64 puzzles of 36 cells.
constexpr int64_t kM = 5, kB = 64, kT = 36, kN = kB * kT;

Buffer random(const Shape& shape, uint32_t stream) {
  Buffer x(shape, DType::f32);
  const Rng rng(9, stream);
  for (int64_t i = 0; i < x.tensor().numel(); ++i) {
    x.tensor().as<float>()[i] = static_cast<float>(rng.normal(static_cast<uint64_t>(i)));
  }
  return x;
}

/// FLOP/s and, next to it, the bytes that must move at least.
void report(benchmark::State& state, double flops, double bytes) {
  using benchmark::Counter;
  state.counters["FLOP"] = Counter(flops, Counter::kIsIterationInvariantRate);
  state.counters["bytes"] = Counter(bytes, Counter::kIsIterationInvariantRate);
}

/// Shapes x (M, N, K), w (M, O, K), y (M, N, O); arguments K, O, threads.
struct Linear {
  int64_t K, O;
  Arena arena;
  Context ctx;
  Buffer x, w, y, dx, dw;
  explicit Linear(const benchmark::State& state)
      : K(state.range(0)),
        O(state.range(1)),
        ctx{&arena, static_cast<int>(state.range(2)), {}},
        x(random({kM, kN, K}, 1)),
        w(random({kM, O, K}, 2)),
        y(random({kM, kN, O}, 3)),
        dx(random({kM, kN, K}, 4)),
        dw(random({kM, O, K}, 5)) {}
  double flops() const { return 2.0 * static_cast<double>(kM * kN * K * O); }
  double bytes() const { return 4.0 * static_cast<double>(kM * (kN * (K + O) + K * O)); }
};

void matmul_forward(benchmark::State& state) {
  Linear l(state);
  for ([[maybe_unused]] auto _ : state) {
    ops::matmul(l.ctx, l.x, l.w, {}, l.y);
  }
  report(state, l.flops(), l.bytes());
}

void matmul_dx(benchmark::State& state) {
  Linear l(state);
  for ([[maybe_unused]] auto _ : state) {
    ops::matmul_vjp(l.ctx, l.x, l.w, l.y, {l.dx, GradientMode::overwrite}, {}, {});
  }
  report(state, l.flops(), l.bytes());
}

void matmul_dw(benchmark::State& state) {
  Linear l(state);
  for ([[maybe_unused]] auto _ : state) {
    ops::matmul_vjp(l.ctx, l.x, l.w, l.y, {}, {l.dw, GradientMode::overwrite}, {});
  }
  report(state, l.flops(), l.bytes());
}

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Eigen::Map<Matrix> matrix(const Tensor& t, int64_t m) {
  return {t.as<float>() + m * t.dim(1) * t.dim(2), t.dim(1), t.dim(2)};
}

void eigen_forward(benchmark::State& state) {
  Linear l(state);
  for ([[maybe_unused]] auto _ : state) {
    for (int64_t m = 0; m < kM; ++m) {
      matrix(l.y, m).noalias() = matrix(l.x, m) * matrix(l.w, m).transpose();
    }
  }
  report(state, l.flops(), l.bytes());
}

void eigen_dw(benchmark::State& state) {
  Linear l(state);
  for ([[maybe_unused]] auto _ : state) {
    for (int64_t m = 0; m < kM; ++m) {
      matrix(l.dw, m).noalias() = matrix(l.y, m).transpose() * matrix(l.x, m);
    }
  }
  report(state, l.flops(), l.bytes());
}

/// Four heads of width K over T = S = 36; arguments K, threads.
struct Attention {
  static constexpr int kHeads = 4;
  int64_t K;
  Arena arena;
  Context ctx;
  Buffer q, k, v, o, p, dp, dq, dk, dv;
  explicit Attention(const benchmark::State& state)
      : K(state.range(0)),
        ctx{&arena, static_cast<int>(state.range(1)), {}},
        q(random({kM, kB, kT, kHeads * K}, 1)),
        k(random(q.tensor().shape, 2)),
        v(random(q.tensor().shape, 3)),
        o(random(q.tensor().shape, 4)),
        p(random({kM, kB, kHeads, kT, kT}, 5)),
        dp(random(p.tensor().shape, 6)),
        dq(random(q.tensor().shape, 7)),
        dk(random(q.tensor().shape, 8)),
        dv(random(q.tensor().shape, 9)) {
    pattern();
  }
  void pattern() { ops::attention_pattern(ctx, q, k, {}, kHeads, kHeads, 0.25, p); }
  double scores() const { return static_cast<double>(kM * kB * kHeads * kT * kT); }
  /// FLOP of one product, pattern or mix.
  double flops() const { return 2.0 * scores() * static_cast<double>(K); }
  double bytes(int patterns, int rows) const {
    return 4.0 * (patterns * scores() + rows * static_cast<double>(kM * kN * kHeads * K));
  }
};

void attention_forward(benchmark::State& state) {
  Attention a(state);
  for ([[maybe_unused]] auto _ : state) {
    a.pattern();
    ops::attention_mix(a.ctx, a.p, a.v, Attention::kHeads, Attention::kHeads, a.o);
  }
  report(state, 2 * a.flops(), a.bytes(2, 4));
}

void attention_backward(benchmark::State& state) {
  Attention a(state);
  constexpr int H = Attention::kHeads;
  constexpr GradientMode kWrite = GradientMode::overwrite;
  for ([[maybe_unused]] auto _ : state) {
    ops::attention_mix_vjp(a.ctx, a.p, a.v, a.o, H, H, {a.dp, kWrite}, {a.dv, kWrite});
    ops::attention_pattern_vjp(
        a.ctx, a.q, a.k, a.p, a.dp, {}, H, H, 0.25, {a.dq, kWrite}, {a.dk, kWrite});
  }
  report(state, 4 * a.flops(), a.bytes(4, 7));
}

/// Width 48 (F 128) and width 64 (F 160): q, k and v in one; attention output; gate and up; down.
void linear_shapes(benchmark::internal::Benchmark* b, std::initializer_list<int64_t> threads) {
  b->ArgNames({"K", "O", "threads"})->UseRealTime()->Unit(benchmark::kMicrosecond);
  for (const auto& [K, O] : std::initializer_list<std::pair<int64_t, int64_t>>{
           {48, 144}, {48, 48}, {48, 256}, {128, 48}, {64, 192}, {64, 64}, {64, 320}, {160, 64}}) {
    for (const int64_t t : threads) {
      b->Args({K, O, t});
    }
  }
}
void ours(benchmark::internal::Benchmark* b) {
  linear_shapes(b, {1, 2});
}
void others(benchmark::internal::Benchmark* b) {
  linear_shapes(b, {1});
}
void attention_shapes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"K", "threads"})->UseRealTime()->Unit(benchmark::kMicrosecond);
  b->ArgsProduct({{12, 16}, {1, 2}});
}

BENCHMARK(matmul_forward)->Apply(ours);
BENCHMARK(eigen_forward)->Apply(others);
BENCHMARK(matmul_dx)->Apply(ours);
BENCHMARK(matmul_dw)->Apply(ours);
BENCHMARK(eigen_dw)->Apply(others);
BENCHMARK(attention_forward)->Apply(attention_shapes);
BENCHMARK(attention_backward)->Apply(attention_shapes);

}  // namespace
}  // namespace sv

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return 2;
  }
  benchmark::AddCustomContext("isa", std::string(sv::cpu::isa_name(sv::cpu::isa())));
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
