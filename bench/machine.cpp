#include "bench/machine.h"

#include <immintrin.h>
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "kernels/cpu/isa.h"

namespace sv::bench {

namespace {

double seconds_of(auto&& f) {
  const auto start = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

constexpr int kRounds = 2'000'000;
constexpr int kChains = 12;  // more than latency x ports needs on any current core

/// Chains of dependent fused multiply-adds; returns something that depends on all of them.
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

volatile float sink;

}  // namespace

double fma_peak(int threads) {
  const bool wide = cpu::isa() == cpu::Isa::avx512;
  const auto spin = [&] {
#pragma omp parallel num_threads(threads)
    sink = wide ? spin_avx512(kRounds) : spin_avx2(kRounds);
  };
  spin();
  double best = 1e9;
  for (int i = 0; i < 5; ++i) {
    best = std::min(best, seconds_of(spin));
  }
  return 2.0 * kRounds * kChains * (wide ? 16 : 8) * threads / best * 1e-9;
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
  for (int i = 0; i < 5; ++i) {
    best = std::min(best, seconds_of(add));
  }
  return 3.0 * 4 * kCount / best * 1e-9;
}

}  // namespace sv::bench
