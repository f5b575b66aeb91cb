// Packing and the loops around the micro-kernels.
#include "kernels/cpu/gemm.h"

#include <algorithm>
#include <type_traits>

#include "core/check.h"
#include "kernels/math/simd.h"

namespace sv::cpu {

namespace {
// A panel of 256 x 16 floats is 16 KiB, half of the smallest L1 in use.
constexpr int64_t kDepthBlock = 256;

template <class T>
const TileTable<T>& tiles(Isa isa) {
  SV_CHECK(has_isa(isa), "this machine or build has no ", isa_name(isa));
#if defined(SV_GEMM_X86)
  if (isa == Isa::avx512) {
    return tiles_avx512<T>();
  }
  if (isa == Isa::avx2) {
    return tiles_avx2<T>();
  }
#endif
  return tiles_portable<T>();
}

/// `cols` elements and then zeros up to `width`; through vectors, as a row is too short for a
/// memcpy.
template <class T>
void copy_row(const T* from, int64_t cols, int64_t width, T* to) {
  constexpr int64_t lanes = simd::kLanes<T>;
  int64_t j = 0;
  for (; j + lanes <= width; j += lanes) {
    simd::store(to + j, simd::load_n(from + j, std::clamp<int64_t>(cols - j, 0, lanes)));
  }
  if (j < width) {
    simd::store_partial(to + j, width - j, simd::load_partial(from + j, cols - j));
  }
}

/// Columns [0, cols) of b become panel (k, width), columns beyond them zero.
template <class T>
void pack_panel(View<T> b, int64_t k, int64_t cols, int64_t width, T* panel) {
  if (b.col == 1) {
    for (int64_t kk = 0; kk < k; ++kk) {
      copy_row(b.data + kk * b.row, cols, width, panel + kk * width);
    }
    return;
  }
  for (int64_t j = 0; j < cols; ++j) {
    const T* from = b.data + j * b.col;
    for (int64_t kk = 0; kk < k; ++kk) {
      panel[kk * width + j] = from[kk * b.row];
    }
  }
  for (int64_t j = cols; j < width; ++j) {
    for (int64_t kk = 0; kk < k; ++kk) {
      panel[kk * width + j] = T{0};
    }
  }
}

template <class T>
void widen_panel(View<bf16> b, int64_t k, int64_t cols, int64_t width, T* panel) {
  for (int64_t kk = 0; kk < k; ++kk) {
    for (int64_t j = 0; j < width; ++j) {
      const bool inside = j < cols;
      panel[kk * width + j] =
          inside ? static_cast<T>(static_cast<float>(b.data[kk * b.row + j * b.col])) : T{0};
    }
  }
}

}  // namespace

template <class T>
Gemm<T>::Gemm(Isa isa) : tiles_(tiles<T>(isa)) {}

template <class T>
template <class S>
void Gemm<T>::pack(View<S> b, int64_t k, int64_t n, int64_t begin, int64_t end, T* packed) const {
  for (int64_t p = begin; p < end; ++p) {
    const int64_t j = p * tiles_.width, cols = std::min<int64_t>(n - j, tiles_.width);
    const View<S> panel{b.data + j * b.col, b.row, b.col};
    if constexpr (std::is_same_v<S, T>) {
      pack_panel<T>(panel, k, cols, width_of(p, n), packed + j * k);
    } else {
      widen_panel<T>(panel, k, cols, width_of(p, n), packed + j * k);
    }
  }
}

template <class T>
void Gemm<T>::run(View<T> a,
                  int64_t rows,
                  int64_t k,
                  int64_t n,
                  const T* packed,
                  T* c,
                  int64_t c_row,
                  bool accumulate) const {
  // k = 0 still runs one empty block: it must write the zeros.
  for (int64_t k0 = 0; k0 == 0 || k0 < k; k0 += kDepthBlock) {
    const int64_t depth = std::min(kDepthBlock, k - k0);
    int64_t p = 0;
    for (; rows == 1 && (p + kRowPanels) * tiles_.width <= n; p += kRowPanels) {
      const int64_t j = p * tiles_.width;
      tiles_.row(depth,
                 a.data + k0 * a.col,
                 a.col,
                 packed + j * k + k0 * tiles_.width,
                 k * tiles_.width,
                 c + j,
                 accumulate || k0 > 0);
    }
    for (int64_t j = p * tiles_.width; j < n; j += tiles_.width, ++p) {
      const int64_t width = width_of(p, n);
      const auto* table = width == tiles_.width ? tiles_.full : tiles_.half;
      const T* panel = packed + j * k + k0 * width;
      const int cols = static_cast<int>(std::min(width, n - j));
      for (int64_t i = 0; i < rows; i += tiles_.rows) {
        const int64_t height = std::min<int64_t>(tiles_.rows, rows - i);
        table[height](depth,
                      a.data + i * a.row + k0 * a.col,
                      a.row,
                      a.col,
                      panel,
                      c + i * c_row + j,
                      c_row,
                      cols,
                      accumulate || k0 > 0);
      }
    }
  }
}

#define SV_PACKS(T, S) \
  template void Gemm<T>::pack(View<S>, int64_t, int64_t, int64_t, int64_t, T*) const;
SV_PACKS(float, float)
SV_PACKS(float, bf16)
SV_PACKS(double, double)
SV_PACKS(double, bf16)
#undef SV_PACKS
template class Gemm<float>;
template class Gemm<double>;

}  // namespace sv::cpu
