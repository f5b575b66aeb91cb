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

/// One row times kRowPanels whole panels, `apart` elements from one to the next: a single row has too few
/// accumulators in one panel to hide the latency of a multiply-add. The chains are those of `tile`.
template <class Ops>
void row_tile(int64_t depth,
              const typename Ops::T* a,
              int64_t a_k,
              const typename Ops::T* panel,
              int64_t apart,
              typename Ops::T* c,
              bool accumulate) {
  using V = typename Ops::V;
  constexpr int lanes = Ops::kLanes, vecs = 2 * kRowPanels;
  V acc[vecs];
#pragma GCC unroll 16
  for (int v = 0; v < vecs; ++v) {
    acc[v] = accumulate ? Ops::load(c + v * lanes) : Ops::zero();
  }
  for (int64_t k = 0; k < depth; ++k) {
    const V x = Ops::broadcast(a[k * a_k]);
#pragma GCC unroll 16
    for (int v = 0; v < vecs; ++v) {
      const typename Ops::T* b = panel + v / 2 * apart + (2 * k + v % 2) * lanes;
      acc[v] = Ops::fma(x, Ops::load(b), acc[v]);
    }
  }
#pragma GCC unroll 16
  for (int v = 0; v < vecs; ++v) {
    Ops::store(c + v * lanes, acc[v]);
  }
}

/// The table of all heights 1..rows, two vectors wide and one vector wide.
template <class Ops, int... height>
constexpr TileTable<typename Ops::T> make_tiles(std::integer_sequence<int, height...>) {
  static_assert(Ops::kRows <= kMaxTileRows);
  return {Ops::kRows,
          2 * Ops::kLanes,
          {nullptr, &tile<Ops, height + 1, 2>...},
          {nullptr, &tile<Ops, height + 1, 1>...},
          &row_tile<Ops>};
}
template <class Ops>
constexpr TileTable<typename Ops::T> make_tiles() {
  return make_tiles<Ops>(std::make_integer_sequence<int, Ops::kRows>{});
}

}  // namespace
}  // namespace sv::cpu
