// Matrix product on one thread, c (rows, n) (+)= a (rows, k) b (k, n), with b packed into column
// panels.
//
// Bits: every c[i][j] is one chain acc = fma(a[i][kk], b[kk][j], acc) over kk ascending that starts
// from 0, or from c[i][j] when accumulating. Tiles, panels and blocks of k (which store and reload
// c) do not change it, so a row has the same bits whatever stands beside it, and avx2 and avx512
// agree. Never split k over threads.
#pragma once
#include <cstdint>

#include "core/dtype.h"
#include "kernels/cpu/isa.h"

namespace sv::cpu {

inline constexpr int kMaxTileRows = 14;
/// Panels that a single row is multiplied with at a time.
inline constexpr int kRowPanels = 4;

/// Micro-kernels of one instruction set, all of one signature.
template <class T>
struct TileTable {
  /// c (rows, cols) (+)= a (rows, depth) panel (depth, width); a[i][kk] lies at a[i a_row + kk
  /// a_k].
  using Tile = void (*)(int64_t depth,
                        const T* a,
                        int64_t a_row,
                        int64_t a_k,
                        const T* panel,
                        T* c,
                        int64_t c_row,
                        int cols,
                        bool accumulate);
  /// One row of c times kRowPanels whole panels, `apart` elements from one to the next.
  using RowTile = void (*)(
      int64_t depth, const T* a, int64_t a_k, const T* panel, int64_t apart, T* c, bool accumulate);
  int rows;                     // rows of the full tile
  int width;                    // columns of a full panel
  Tile full[kMaxTileRows + 1];  // [rows of this tile], panels of `width`
  Tile half[kMaxTileRows +
            1];  // [rows of this tile], panels of `width / 2`, for a narrow last panel
  RowTile row;
};

template <class T>
const TileTable<T>& tiles_portable();
template <class T>
const TileTable<T>& tiles_avx2();
template <class T>
const TileTable<T>& tiles_avx512();

/// A matrix read through strides, so that a and its transpose are both views: x[i][j] = data[i row
/// + j col].
template <class T>
struct View {
  const T* data;
  int64_t row;
  int64_t col;
};

/// Entries [begin, end).
struct Range {
  int64_t begin, end;
};

template <class T>
class Gemm {
 public:
  explicit Gemm(Isa isa = cpu::isa());

  /// Rows a thread should take at a time (a multiple of the tile): about 96, so that they stay in
  /// L1 and L2.
  int64_t row_block() const { return 96 / tiles_.rows * tiles_.rows; }
  int64_t panel_width() const { return tiles_.width; }
  int64_t panels(int64_t n) const { return (n + tiles_.width - 1) / tiles_.width; }
  /// Elements of b packed, all panels.
  int64_t packed_size(int64_t k, int64_t n) const { return k * panels(n) * tiles_.width; }
  /// Packs panels [begin, end) of b (k, n), each into its own place in `packed`; missing columns
  /// become zero.
  /// A b stored in bf16 is widened here, once per panel, never in the row loop.
  template <class S>
  void pack(View<S> b, int64_t k, int64_t n, int64_t begin, int64_t end, T* packed) const;
  void pack(View<T> b, int64_t k, int64_t n, T* packed) const {
    pack(b, k, n, 0, panels(n), packed);
  }
  /// Packs only the rows and columns given of b (k, n), for callers that make b piece by piece;
  /// `b` is the view of the piece. The columns missing in the last panel become zero with column n.
  void pack_piece(View<T> b, int64_t k, int64_t n, Range rows, Range columns, T* packed) const;
  /// c (rows, n) with row stride c_row (+)= a (rows, k) b; `packed` holds all panels of b.
  void run(View<T> a,
           int64_t rows,
           int64_t k,
           int64_t n,
           const T* packed,
           T* c,
           int64_t c_row,
           bool accumulate) const;

 private:
  /// Width of panel p of n columns: the last one is halved where its columns fit.
  int64_t width_of(int64_t p, int64_t n) const {
    return n - p * tiles_.width <= tiles_.width / 2 ? tiles_.width / 2 : tiles_.width;
  }
  const TileTable<T>& tiles_;
};

}  // namespace sv::cpu
