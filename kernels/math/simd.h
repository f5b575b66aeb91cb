// Fixed-width vectors of 64 bytes (16 floats, 8 doubles) on GCC/clang vector extensions, and row
// reductions on them. The width never follows the machine, so AVX-512, AVX2 and the baseline give
// the same bits; for the same reason there is no fused multiply-add here (only the matrix kernels
// in kernels/cpu fuse).
#pragma once
#include <cstdint>
#include <cstring>
#include <utility>
#if defined(__AVX__)
#include <immintrin.h>
#endif

#if defined(__GNUC__)
#define SV_INLINE static inline __attribute__((always_inline))
#else
#error "kernels/math/simd.h needs GCC or clang vector extensions"
#endif

namespace sv::simd {

inline constexpr int kBytes = 64;
// The register that the 64 bytes are cut into. Cut by hand: GCC keeps vectors wider than a register
// on the stack, pieces of native width stay in registers.
#if defined(__AVX512F__)
inline constexpr int kNative = 64;
#elif defined(__AVX__)
inline constexpr int kNative = 32;
#else
inline constexpr int kNative = 16;
#endif
inline constexpr int kParts = kBytes / kNative;

/// Elements of T in one vector: 16 floats, 8 doubles.
template <class T>
inline constexpr int kLanes = kBytes / static_cast<int>(sizeof(T));

template <class T, int bytes>
struct Native;
#define SV_NATIVE(T, N)                             \
  template <>                                       \
  struct Native<T, N> {                             \
    typedef T type __attribute__((vector_size(N))); \
  };
SV_NATIVE(float, 16)
SV_NATIVE(float, 32)
SV_NATIVE(float, 64)
SV_NATIVE(double, 16)
SV_NATIVE(double, 32)
SV_NATIVE(double, 64)
#undef SV_NATIVE

/// 64 bytes of T with elementwise + - * /; broadcast(x) fills every lane.
template <class T>
struct Vec {
  typename Native<T, kNative>::type part[kParts];
};

#define SV_EACH_PART _Pragma("GCC unroll 4") for (int i = 0; i < kParts; ++i)

template <class T>
SV_INLINE Vec<T> load(const T* p) {
  Vec<T> v;
  SV_EACH_PART {
    std::memcpy(&v.part[i], reinterpret_cast<const char*>(p) + i * kNative, kNative);
  }
  return v;
}
template <class T>
SV_INLINE void store(T* p, Vec<T> v) {
  SV_EACH_PART {
    std::memcpy(reinterpret_cast<char*>(p) + i * kNative, &v.part[i], kNative);
  }
}
#if defined(__AVX__) && !defined(__AVX512F__)
/// Mask of the lanes of part i (32 bytes) that lie before lane n of the vector.
template <class T>
SV_INLINE __m256i part_mask(int i, int64_t n) {
  static constexpr int32_t kMask[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
  constexpr int kWords = static_cast<int>(sizeof(T) / 4);
  const int64_t words = n * kWords - i * 8;
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kMask + 8 -
                                                             (words < 0   ? 0
                                                              : words > 8 ? 8
                                                                          : words)));
}
#endif
/// The first n lanes from memory, `rest` in the others; nothing behind p + n is touched.
template <class T>
SV_INLINE Vec<T> load_partial(const T* p, int64_t n, T rest = T{0}) {
#if defined(__AVX__) && !defined(__AVX512F__)
  Vec<T> v;
  SV_EACH_PART {
    const __m256i mask = part_mask<T>(i, n);
    const auto fill = rest - typename Native<T, kNative>::type{};
    if constexpr (sizeof(T) == 4) {
      const __m256 x = _mm256_maskload_ps(p + i * 8, mask);
      v.part[i] = _mm256_blendv_ps(fill, x, _mm256_castsi256_ps(mask));
    } else {
      const __m256d x = _mm256_maskload_pd(p + i * 4, mask);
      v.part[i] = _mm256_blendv_pd(fill, x, _mm256_castsi256_pd(mask));
    }
  }
  return v;
#else
  T lanes[kLanes<T>];
  for (int i = 0; i < kLanes<T>; ++i) {
    lanes[i] = i < n ? p[i] : rest;
  }
  return load(lanes);
#endif
}
/// Writes the first n lanes only. Do not load them again soon: a masked store is not forwarded to a
/// load.
template <class T>
SV_INLINE void store_partial(T* p, int64_t n, Vec<T> v) {
#if defined(__AVX__) && !defined(__AVX512F__)
  SV_EACH_PART {
    if constexpr (sizeof(T) == 4) {
      _mm256_maskstore_ps(p + i * 8, part_mask<T>(i, n), v.part[i]);
    } else {
      _mm256_maskstore_pd(p + i * 4, part_mask<T>(i, n), v.part[i]);
    }
  }
#else
  T lanes[kLanes<T>];
  store(lanes, v);
  for (int64_t i = 0; i < n; ++i) {
    p[i] = lanes[i];
  }
#endif
}
template <class T>
SV_INLINE Vec<T> broadcast(T x) {
  Vec<T> v;
  SV_EACH_PART {
    v.part[i] = x - typename Native<T, kNative>::type{};
  }
  return v;
}

#define SV_BINARY(op)                                \
  template <class T>                                 \
  SV_INLINE Vec<T> operator op(Vec<T> a, Vec<T> b) { \
    Vec<T> v;                                        \
    SV_EACH_PART {                                   \
      v.part[i] = a.part[i] op b.part[i];            \
    }                                                \
    return v;                                        \
  }
SV_BINARY(+)
SV_BINARY(-)
SV_BINARY(*)
SV_BINARY(/)
#undef SV_BINARY

/// Lane-wise a > b ? a : b (b when either is NaN), like the scalar expression.
template <class T>
SV_INLINE Vec<T> max(Vec<T> a, Vec<T> b) {
  Vec<T> v;
  SV_EACH_PART {
    v.part[i] = a.part[i] > b.part[i] ? a.part[i] : b.part[i];
  }
  return v;
}
template <class T>
SV_INLINE Vec<T> min(Vec<T> a, Vec<T> b) {
  Vec<T> v;
  SV_EACH_PART {
    v.part[i] = a.part[i] < b.part[i] ? a.part[i] : b.part[i];
  }
  return v;
}
#undef SV_EACH_PART

/// The lower or upper half of a register.
template <class T, int bytes, int first, int... lane>
SV_INLINE typename Native<T, bytes / 2>::type half(typename Native<T, bytes>::type v,
                                                   std::integer_sequence<int, lane...>) {
  return __builtin_shufflevector(v, v, (first + lane)...);
}
template <class T, int bytes, class Fold>
SV_INLINE T fold_register(typename Native<T, bytes>::type v, Fold fold) {
  if constexpr (bytes > 16) {
    constexpr int n = bytes / 2 / static_cast<int>(sizeof(T));
    const auto lanes = std::make_integer_sequence<int, n>{};
    return fold_register<T, bytes / 2>(
        fold(half<T, bytes, 0>(v, lanes), half<T, bytes, n>(v, lanes)), fold);
  } else if constexpr (sizeof(T) == 4) {
    return fold(fold(T{v[0]}, T{v[2]}), fold(T{v[1]}, T{v[3]}));
  } else {
    return fold(T{v[0]}, T{v[1]});
  }
}
/// Folds the lanes by halves (16 -> 8 -> 4 -> 2 -> 1): lane i meets lane i + n/2 at each level.
/// `fold` takes two numbers or two registers.
template <class T, class Fold>
SV_INLINE T fold_lanes(Vec<T> v, Fold fold) {
  for (int parts = kParts / 2; parts >= 1; parts /= 2) {
    for (int i = 0; i < parts; ++i) {
      v.part[i] = fold(v.part[i], v.part[i + parts]);
    }
  }
  return fold_register<T, kNative>(v.part[0], fold);
}
template <class T>
SV_INLINE T sum_lanes(Vec<T> v) {
  return fold_lanes(v, [](auto a, auto b) { return a + b; });
}
template <class T>
SV_INLINE T max_lanes(Vec<T> v) {
  return fold_lanes(v, [](auto a, auto b) { return a > b ? a : b; });
}

/// Sum over a row of term(i, count) -> Vec (count lanes valid, the others must be zero): lane j
/// adds the elements j, j + lanes, j + 2 lanes, ... in order, then the lanes fold. Depends on n
/// alone.
template <class T, class Term>
SV_INLINE T sum_terms(int64_t n, Term term) {
  Vec<T> total = broadcast(T{0});
  int64_t i = 0;
  for (; i + kLanes<T> <= n; i += kLanes<T>) {
    total = total + term(i, int64_t{kLanes<T>});
  }
  if (i < n) {
    total = total + term(i, n - i);
  }
  return sum_lanes(total);
}
/// `count` elements at p; a whole vector when count is the lane count, else filled with `rest`.
template <class T>
SV_INLINE Vec<T> load_n(const T* p, int64_t count, T rest = T{0}) {
  return count == kLanes<T> ? load(p) : load_partial(p, count, rest);
}
template <class T>
SV_INLINE void store_n(T* p, int64_t count, Vec<T> v) {
  if (count == kLanes<T>) {
    store(p, v);
  } else {
    store_partial(p, count, v);
  }
}
template <class T>
SV_INLINE T sum(const T* x, int64_t n) {
  return sum_terms<T>(n, [&](int64_t i, int64_t count) { return load_n(x + i, count); });
}
template <class T>
SV_INLINE T dot(const T* x, const T* y, int64_t n) {
  return sum_terms<T>(
      n, [&](int64_t i, int64_t count) { return load_n(x + i, count) * load_n(y + i, count); });
}

}  // namespace sv::simd
