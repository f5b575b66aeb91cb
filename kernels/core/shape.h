// Shape: at most six dimensions, row-major, the model axis M first.
#pragma once
#include <array>
#include <cstdint>
#include <initializer_list>
#include <ostream>
#include <string>
#include <vector>

#include "core/check.h"

namespace sv {

inline constexpr int kMaxRank = 6;

class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int64_t> dims) : Shape(dims.begin(), static_cast<int>(dims.size())) {}
  explicit Shape(const std::vector<int64_t>& dims)
      : Shape(dims.data(), static_cast<int>(dims.size())) {}
  Shape(const int64_t* dims, int rank) : rank_(rank) {
    SV_CHECK(rank >= 0 && rank <= kMaxRank, "rank ", rank, " exceeds ", kMaxRank);
    for (int i = 0; i < rank; ++i) {
      SV_CHECK(dims[i] >= 0, "dimension ", i, " is ", dims[i]);
      dims_[i] = dims[i];
    }
  }
  int rank() const { return rank_; }
  /// Dimension i; negative i counts from the end.
  int64_t operator[](int i) const {
    const int k = i < 0 ? i + rank_ : i;
    SV_CHECK(k >= 0 && k < rank_, "dimension ", i, " of a rank-", rank_, " shape");
    return dims_[k];
  }
  int64_t numel() const {
    int64_t n = 1;
    for (int i = 0; i < rank_; ++i) {
      n *= dims_[i];
    }
    return n;
  }
  /// The same shape with dimension i (negative: from the end) replaced.
  Shape with(int i, int64_t size) const {
    Shape s = *this;
    (*this)[i];
    s.dims_[i < 0 ? i + rank_ : i] = size;
    return s;
  }
  /// The same shape without its last dimension: one number per row.
  Shape without_last() const {
    Shape s = with(-1, 0);
    --s.rank_;
    return s;
  }
  bool operator==(const Shape& other) const {
    if (rank_ != other.rank_) {
      return false;
    }
    for (int i = 0; i < rank_; ++i) {
      if (dims_[i] != other.dims_[i]) {
        return false;
      }
    }
    return true;
  }
  std::vector<int64_t> to_vector() const { return {dims_.begin(), dims_.begin() + rank_}; }

 private:
  std::array<int64_t, kMaxRank> dims_{};
  int rank_ = 0;
};

inline std::ostream& operator<<(std::ostream& out, const Shape& s) {
  out << '(';
  for (int i = 0; i < s.rank(); ++i) {
    out << (i ? ", " : "") << s[i];
  }
  return out << ')';
}

/// Throws with both shapes unless they are equal; `name` is the argument's name in the caller's
/// signature.
inline void expect_shape(const Shape& got, const Shape& expected, const char* name) {
  SV_CHECK(got == expected, name, " has shape ", got, ", expected ", expected);
}

}  // namespace sv
