// What a query sees and the softmax of its scores on the CPU, shared by the op and by the fused
// block.
#pragma once
#include <algorithm>
#include <limits>

#include "kernels/cpu/write.h"
#include "kernels/math/point.h"
#include "kernels/math/simd.h"
#include "kernels/ops/attention/attention.h"

namespace sv::cpu {

/// The mask of one sequence (m, b) with S keys: query t sees keys [0, count(t)).
class Visible {
 public:
  Visible(const ops::AttentionMask& mask, int64_t S, int64_t m, int64_t b)
      : bidirectional_(mask.kind == ops::AttentionMask::Kind::bidirectional),
        length_(entry(mask.lengths, m, b, S)),
        prefix_(entry(mask.prefix, m, b, 0)),
        offset_(mask.offset) {}
  int64_t length() const { return length_; }
  int64_t count(int64_t t) const {
    if (bidirectional_) {
      return length_;
    }
    const int64_t at = t + offset_;
    return std::clamp<int64_t>(at < prefix_ ? prefix_ : at + 1, 0, length_);
  }

 private:
  static int64_t entry(const Tensor& t, int64_t m, int64_t b, int64_t otherwise) {
    return t ? t.as<int32_t>()[(t.dim(0) == 1 ? 0 : m) * t.dim(1) + b] : otherwise;
  }
  bool bidirectional_;
  int64_t length_, prefix_, offset_;
};

/// x = scale * x minus the largest of it over the first n of S entries, -inf behind: what exp is
/// taken of. Returns the largest, 0 where n is 0.
template <class T>
T centre_row(T* x, int64_t n, int64_t S, T scale) {
  constexpr int64_t lanes = simd::kLanes<T>;
  const auto factor = simd::broadcast(scale);
  const T first = n > 0 ? x[0] : T{0};
  auto most = simd::broadcast(first) * factor;
  for (int64_t s = 0; s < n; s += lanes) {
    most = simd::max(simd::load_n(x + s, std::min(lanes, n - s), first) * factor, most);
  }
  const T largest = simd::max_lanes(most);
  write_row(x, n, false, [=](int64_t s) { return x[s] * scale - largest; });
  std::fill(x + n, x + S, -std::numeric_limits<T>::infinity());
  return largest;
}

/// Softmax of scale * x (rows, S) over the keys that queries [first, first + rows) see, in place;
/// zeros where nothing is seen. `stats` (rows, 2), if given, receives the largest of scale * x and
/// the factor that the exponentials are scaled by. exp runs over the whole matrix at once: one row
/// is too short to be worth a loop of its own.
template <class T>
void softmax_rows(const Visible& visible,
                  int64_t first,
                  int64_t rows,
                  int64_t S,
                  T scale,
                  T* x,
                  T* stats = nullptr) {
  for (int64_t t = 0; t < rows; ++t) {
    const T largest = centre_row(x + t * S, visible.count(first + t), S, scale);
    if (stats) {
      stats[2 * t] = largest;
    }
  }
  write_row(x, rows * S, false, [=](int64_t i) { return point::exp_poly(x[i]); });
  for (int64_t t = 0; t < rows; ++t) {
    T* row = x + t * S;
    const int64_t n = visible.count(first + t);
    const T inverse = n > 0 ? T{1} / simd::sum(row, n) : T{0};
    write_row(row, n, false, [=](int64_t s) { return row[s] * inverse; });
    if (stats) {
      stats[2 * t + 1] = inverse;
    }
  }
}

}  // namespace sv::cpu
