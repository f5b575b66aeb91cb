// Micro-kernels for AVX-512: 14 x 32 floats or 14 x 16 doubles, 28 of the 32 registers accumulate.
#include <immintrin.h>

#include "kernels/cpu/gemm_tile.h"

namespace sv::cpu {
namespace {

/// The lowest n of `lanes` bits, n clamped to what exists.
unsigned mask_of(int n, int lanes) {
  return n <= 0 ? 0u : (1u << (n < lanes ? n : lanes)) - 1u;
}

struct FloatOps {
  using T = float;
  using V = __m512;
  static constexpr int kLanes = 16;
  static constexpr int kRows = 14;
  static V zero() { return _mm512_setzero_ps(); }
  static V load(const T* p) { return _mm512_loadu_ps(p); }
  static V load_partial(const T* p, int n) {
    return _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask_of(n, 16)), p);
  }
  static void store(T* p, V v) { _mm512_storeu_ps(p, v); }
  static void store_partial(T* p, int n, V v) {
    _mm512_mask_storeu_ps(p, static_cast<__mmask16>(mask_of(n, 16)), v);
  }
  static V broadcast(T x) { return _mm512_set1_ps(x); }
  static V fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
};

struct DoubleOps {
  using T = double;
  using V = __m512d;
  static constexpr int kLanes = 8;
  static constexpr int kRows = 14;
  static V zero() { return _mm512_setzero_pd(); }
  static V load(const T* p) { return _mm512_loadu_pd(p); }
  static V load_partial(const T* p, int n) {
    return _mm512_maskz_loadu_pd(static_cast<__mmask8>(mask_of(n, 8)), p);
  }
  static void store(T* p, V v) { _mm512_storeu_pd(p, v); }
  static void store_partial(T* p, int n, V v) {
    _mm512_mask_storeu_pd(p, static_cast<__mmask8>(mask_of(n, 8)), v);
  }
  static V broadcast(T x) { return _mm512_set1_pd(x); }
  static V fma(V a, V b, V c) { return _mm512_fmadd_pd(a, b, c); }
};

}  // namespace

template <>
const TileTable<float>& tiles_avx512() {
  static constexpr TileTable<float> table = make_tiles<FloatOps>();
  return table;
}
template <>
const TileTable<double>& tiles_avx512() {
  static constexpr TileTable<double> table = make_tiles<DoubleOps>();
  return table;
}

}  // namespace sv::cpu
