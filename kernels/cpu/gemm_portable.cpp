// Micro-kernels without intrinsics: vectors of 16 bytes (SSE2, NEON or what the compiler makes of
// them), 4 rows by two vectors. Product and sum round apart, so the bits differ from the fused
// kernels.
#include <cstring>

#include "kernels/cpu/gemm_tile.h"

namespace sv::cpu {
namespace {

typedef float Float4 __attribute__((vector_size(16)));
typedef double Double2 __attribute__((vector_size(16)));

template <class Element, class Vector>
struct PlainOps {
  using T = Element;
  using V = Vector;
  static constexpr int kLanes = 16 / static_cast<int>(sizeof(T));
  static constexpr int kRows = 4;
  static V zero() { return V{}; }
  static V load(const T* p) {
    V v;
    std::memcpy(&v, p, sizeof(V));
    return v;
  }
  static V load_partial(const T* p, int n) {
    V v{};
    for (int i = 0; i < kLanes && i < n; ++i) {
      v[i] = p[i];
    }
    return v;
  }
  static void store(T* p, V v) { std::memcpy(p, &v, sizeof(V)); }
  static void store_partial(T* p, int n, V v) {
    for (int i = 0; i < kLanes && i < n; ++i) {
      p[i] = v[i];
    }
  }
  static V broadcast(T x) { return x - V{}; }
  static V fma(V a, V b, V c) { return a * b + c; }
};

}  // namespace

template <>
const TileTable<float>& tiles_portable() {
  static constexpr TileTable<float> table = make_tiles<PlainOps<float, Float4>>();
  return table;
}
template <>
const TileTable<double>& tiles_portable() {
  static constexpr TileTable<double> table = make_tiles<PlainOps<double, Double2>>();
  return table;
}

}  // namespace sv::cpu
