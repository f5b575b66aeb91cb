// Conv: a convolution without bias over positions in a line or a square, as patches times a matrix.
#pragma once
#include "models/parts/parts.h"

namespace sv::parts {

/// Kernel of 3 (dimensions 1: positions in a line) or 3x3 (2: a square, whose side is the root of
/// T), zeros outside. x (M,B,T,in) to (M,B,T,out); weight (out, K in) with taps row by row and the
/// channel fastest. Any number of positions.
class Conv {
 public:
  Conv() = default;
  Conv(Params&, const std::string& name, int dimensions, int64_t in, int64_t out);
  Var operator()(Pass&, Var x) const;

 private:
  int dimensions_ = 1;
  Linear map_;
};

}  // namespace sv::parts
