// Micro-kernels for AVX2 with FMA: 6 x 16 floats or 6 x 8 doubles, 12 of the 16 registers
// accumulate.
#include <immintrin.h>

#include "kernels/cpu/gemm_tile.h"

namespace sv::cpu {
namespace {

// Lane i is on for i < n with n = 0..8 when read from kMask + 8 - n; doubles use pairs of entries.
constexpr int32_t kMask[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};

int clamp(int n, int most) {
  return n < 0 ? 0 : n > most ? most : n;
}

__m256i mask_of(int n) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kMask + 8 - n));
}

struct FloatOps {
  using T = float;
  using V = __m256;
  static constexpr int kLanes = 8;
  static constexpr int kRows = 6;
  static V zero() { return _mm256_setzero_ps(); }
  static V load(const T* p) { return _mm256_loadu_ps(p); }
  static V load_partial(const T* p, int n) { return _mm256_maskload_ps(p, mask_of(clamp(n, 8))); }
  static void store(T* p, V v) { _mm256_storeu_ps(p, v); }
  static void store_partial(T* p, int n, V v) { _mm256_maskstore_ps(p, mask_of(clamp(n, 8)), v); }
  static V broadcast(T x) { return _mm256_set1_ps(x); }
  static V fma(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
};

struct DoubleOps {
  using T = double;
  using V = __m256d;
  static constexpr int kLanes = 4;
  static constexpr int kRows = 6;
  static V zero() { return _mm256_setzero_pd(); }
  static V load(const T* p) { return _mm256_loadu_pd(p); }
  static V load_partial(const T* p, int n) {
    return _mm256_maskload_pd(p, mask_of(2 * clamp(n, 4)));
  }
  static void store(T* p, V v) { _mm256_storeu_pd(p, v); }
  static void store_partial(T* p, int n, V v) {
    _mm256_maskstore_pd(p, mask_of(2 * clamp(n, 4)), v);
  }
  static V broadcast(T x) { return _mm256_set1_pd(x); }
  static V fma(V a, V b, V c) { return _mm256_fmadd_pd(a, b, c); }
};

}  // namespace

template <>
const TileTable<float>& tiles_avx2() {
  static constexpr TileTable<float> table = make_tiles<FloatOps>();
  return table;
}
template <>
const TileTable<double>& tiles_avx2() {
  static constexpr TileTable<double> table = make_tiles<DoubleOps>();
  return table;
}

}  // namespace sv::cpu
