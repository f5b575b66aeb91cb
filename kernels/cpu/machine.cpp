#include "kernels/cpu/machine.h"

#ifdef SV_GEMM_X86
#include <immintrin.h>
#endif

#include <algorithm>
#include <chrono>
#include <vector>

#include "kernels/cpu/isa.h"

namespace sv::cpu {

namespace {

double seconds_of(auto&& f) {
  const auto start = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

constexpr int kTries = 15;  // other work on the machine must miss one of them
constexpr int kRounds = 2'000'000;
constexpr int kChains = 12;  // more than latency x ports needs on any current core

/// Chains of dependent multiply-adds; returns something that depends on all of them. The portable
/// kernels round product and sum apart, so their limit is that of two instructions.
float spin_portable(int rounds) {
  using Four = float __attribute__((vector_size(16)));
  Four x[kChains];
  for (int i = 0; i < kChains; ++i) {
    const float start = static_cast<float>(i) * 0.1F;
    x[i] = Four{start, start, start, start};
  }
  for (int r = 0; r < rounds; ++r) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) {
      x[i] = x[i] * 0.999F + 0.001F;
    }
  }
  float sum = 0;
  for (const Four& chain : x) {
    sum += chain[0];
  }
  return sum;
}

#ifdef SV_GEMM_X86
__attribute__((target("avx2,fma"))) float spin_avx2(int rounds) {
  __m256 x[kChains];
  for (int i = 0; i < kChains; ++i) {
    x[i] = _mm256_set1_ps(static_cast<float>(i) * 0.1F);
  }
  const __m256 a = _mm256_set1_ps(0.999F), b = _mm256_set1_ps(0.001F);
  for (int r = 0; r < rounds; ++r) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) {
      x[i] = _mm256_fmadd_ps(x[i], a, b);
    }
  }
  float sum = 0;
  for (int i = 0; i < kChains; ++i) {
    sum += _mm256_cvtss_f32(x[i]);
  }
  return sum;
}

__attribute__((target("avx512f"))) float spin_avx512(int rounds) {
  __m512 x[kChains];
  for (int i = 0; i < kChains; ++i) {
    x[i] = _mm512_set1_ps(static_cast<float>(i) * 0.1F);
  }
  const __m512 a = _mm512_set1_ps(0.999F), b = _mm512_set1_ps(0.001F);
  for (int r = 0; r < rounds; ++r) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) {
      x[i] = _mm512_fmadd_ps(x[i], a, b);
    }
  }
  float sum = 0;
  for (int i = 0; i < kChains; ++i) {
    sum += _mm512_cvtss_f32(x[i]);
  }
  return sum;
}
#endif

struct Spin {
  float (*run)(int rounds);
  int lanes;
};

Spin widest() {
#ifdef SV_GEMM_X86
  switch (isa()) {
    case Isa::avx512:
      return {spin_avx512, 16};
    case Isa::avx2:
      return {spin_avx2, 8};
    case Isa::portable:
      break;
  }
#endif
  return {spin_portable, 4};
}

/// Sums of the threads; kept so that the compiler cannot drop the work.
volatile float sink;

}  // namespace

double fma_peak(int threads) {
  const Spin spin = widest();
  const auto all = [&] {
    std::vector<float> sums(static_cast<size_t>(threads));
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int t = 0; t < threads; ++t) {
      sums[static_cast<size_t>(t)] = spin.run(kRounds);
    }
    sink = sums[0];
  };
  all();
  double best = 1e9;
  for (int i = 0; i < kTries; ++i) {
    best = std::min(best, seconds_of(all));
  }
  return 2.0 * kRounds * kChains * spin.lanes * threads / best * 1e-9;
}

double stream_bandwidth(int threads) {
  constexpr long kCount = 16L << 20;  // 64 MB an array: beyond the share of a last-level cache
  std::vector<float> to(kCount, 1.0F), from(kCount, 2.0F);
  const auto add = [&] {
    float* t = to.data();
    const float* f = from.data();
#pragma omp parallel for simd num_threads(threads) schedule(static)
    for (long i = 0; i < kCount; ++i) {
      t[i] += f[i];
    }
  };
  add();
  double best = 1e9;
  for (int i = 0; i < kTries; ++i) {
    best = std::min(best, seconds_of(add));
  }
  return 3.0 * 4 * kCount / best * 1e-9;
}

}  // namespace sv::cpu
