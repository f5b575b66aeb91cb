// The micro-kernel, a template over vector operations; included only by gemm_<isa>.cpp. Everything
// here has internal linkage: each of those files is compiled for its own instruction set, and a
// shared inline function could be linked from the wrong one.
#pragma once
#include <cstdint>
#include <utility>

#include "kernels/cpu/gemm.h"

namespace sv::cpu {
namespace {

/// c (rows, cols) (+)= a (rows, depth) panel (depth, vecs * lanes): the accumulators stay in
/// registers over the whole depth. cols may fall short of the panel's width, the columns beyond it
/// are not touched in c.
template <class Ops, int rows, int vecs>
void tile(int64_t depth,
          const typename Ops::T* a,
          int64_t a_row,
          int64_t a_k,
          const typename Ops::T* panel,
          typename Ops::T* c,
          int64_t c_row,
          int cols,
          bool accumulate) {
  using V = typename Ops::V;
  constexpr int lanes = Ops::kLanes;
  const bool whole = cols == vecs * lanes;
  V acc[rows][vecs];
#pragma GCC unroll 16
  for (int i = 0; i < rows; ++i) {
#pragma GCC unroll 2
    for (int v = 0; v < vecs; ++v) {
      acc[i][v] = Ops::zero();
      if (accumulate) {
        const typename Ops::T* from = c + i * c_row + v * lanes;
        acc[i][v] = whole ? Ops::load(from) : Ops::load_partial(from, cols - v * lanes);
      }
    }
  }
  for (int64_t k = 0; k < depth; ++k) {
    V b[vecs];
#pragma GCC unroll 2
    for (int v = 0; v < vecs; ++v) {
      b[v] = Ops::load(panel + v * lanes);
    }
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i) {
      const V x = Ops::broadcast(a[i * a_row]);
#pragma GCC unroll 2
      for (int v = 0; v < vecs; ++v) {
        acc[i][v] = Ops::fma(x, b[v], acc[i][v]);
      }
    }
    a += a_k;
    panel += vecs * lanes;
  }
#pragma GCC unroll 16
  for (int i = 0; i < rows; ++i) {
#pragma GCC unroll 2
    for (int v = 0; v < vecs; ++v) {
      typename Ops::T* to = c + i * c_row + v * lanes;
      if (whole) {
        Ops::store(to, acc[i][v]);
      } else {
        Ops::store_partial(to, cols - v * lanes, acc[i][v]);
      }
    }
  }
}

/// The table of all heights 1..rows, two vectors wide and one vector wide.
template <class Ops, int... height>
constexpr TileTable<typename Ops::T> make_tiles(std::integer_sequence<int, height...>) {
  static_assert(Ops::kRows <= kMaxTileRows);
  return {Ops::kRows,
          2 * Ops::kLanes,
          {nullptr, &tile<Ops, height + 1, 2>...},
          {nullptr, &tile<Ops, height + 1, 1>...}};
}
template <class Ops>
constexpr TileTable<typename Ops::T> make_tiles() {
  return make_tiles<Ops>(std::make_integer_sequence<int, Ops::kRows>{});
}

}  // namespace
}  // namespace sv::cpu
