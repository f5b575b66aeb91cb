// Packing and the loops around the micro-kernels.
#include "kernels/cpu/gemm.h"

#include <algorithm>
#include <cstring>
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

// 4 x 4 elements, transposed in registers: an element at a time would cost as much as several
// multiply-adds.
typedef float Float4 __attribute__((vector_size(16)));

inline void transpose4(const float* from, int64_t from_row, float* to, int64_t to_row) {
  Float4 a, b, c, d;
  std::memcpy(&a, from, 16);
  std::memcpy(&b, from + from_row, 16);
  std::memcpy(&c, from + 2 * from_row, 16);
  std::memcpy(&d, from + 3 * from_row, 16);
  const Float4 ab = __builtin_shufflevector(a, b, 0, 4, 1, 5);
  const Float4 AB = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const Float4 cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
  const Float4 CD = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  const Float4 out[4] = {__builtin_shufflevector(ab, cd, 0, 1, 4, 5),
                         __builtin_shufflevector(ab, cd, 2, 3, 6, 7),
                         __builtin_shufflevector(AB, CD, 0, 1, 4, 5),
                         __builtin_shufflevector(AB, CD, 2, 3, 6, 7)};
  for (int i = 0; i < 4; ++i) {
    std::memcpy(to + i * to_row, &out[i], 16);
  }
}

/// to[kk to_row + j] = from[j from_row + kk] for kk < k and j < cols.
template <class T>
void transpose(const T* from, int64_t from_row, int64_t k, int64_t cols, T* to, int64_t to_row) {
  int64_t j = 0;
  if constexpr (std::is_same_v<T, float>) {
    for (; j + 4 <= cols; j += 4) {
      int64_t kk = 0;
      for (; kk + 4 <= k; kk += 4) {
        transpose4(from + j * from_row + kk, from_row, to + kk * to_row + j, to_row);
      }
      for (; kk < k; ++kk) {
        for (int64_t i = j; i < j + 4; ++i) {
          to[kk * to_row + i] = from[i * from_row + kk];
        }
      }
    }
  }
  for (; j < cols; ++j) {
    for (int64_t kk = 0; kk < k; ++kk) {
      to[kk * to_row + j] = from[j * from_row + kk];
    }
  }
}

/// Columns [0, cols) of b become columns of a panel (k, width); behind them `zeros` columns of 0.
template <class T>
void pack_panel(View<T> b, int64_t k, int64_t cols, int64_t zeros, int64_t width, T* panel) {
  if (b.col == 1) {
    for (int64_t kk = 0; kk < k; ++kk) {
      copy_row(b.data + kk * b.row, cols, cols + zeros, panel + kk * width);
    }
    return;
  }
  if (b.row == 1) {
    transpose(b.data, b.col, k, cols, panel, width);
  } else {
    for (int64_t kk = 0; kk < k; ++kk) {
      for (int64_t j = 0; j < cols; ++j) {
        panel[kk * width + j] = b.data[kk * b.row + j * b.col];
      }
    }
  }
  for (int64_t kk = 0; zeros > 0 && kk < k; ++kk) {
    std::fill_n(panel + kk * width + cols, zeros, T{0});
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
      pack_panel<T>(panel, k, cols, width_of(p, n) - cols, width_of(p, n), packed + j * k);
    } else {
      widen_panel<T>(panel, k, cols, width_of(p, n), packed + j * k);
    }
  }
}

template <class T>
void Gemm<T>::pack_piece(
    View<T> b, int64_t k, int64_t n, Range rows, Range columns, T* packed) const {
  for (int64_t j = columns.begin; j < columns.end;) {
    const int64_t p = j / tiles_.width, first = p * tiles_.width, width = width_of(p, n);
    const int64_t end = std::min(columns.end, first + width);
    const int64_t zeros = end == n ? first + width - n : 0;
    const View<T> from{b.data + (j - columns.begin) * b.col, b.row, b.col};
    T* panel = packed + first * k + rows.begin * width + (j - first);
    pack_panel<T>(from, rows.end - rows.begin, end - j, zeros, width, panel);
    j = end;
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
      // Tiles of nearly equal height: a short last one would wait for its few multiply-adds.
      const int64_t count = (rows + tiles_.rows - 1) / tiles_.rows;
      for (int64_t i = 0, tile = 0, height = 0; tile < count; ++tile, i += height) {
        height = rows / count + (tile < rows % count ? 1 : 0);
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
