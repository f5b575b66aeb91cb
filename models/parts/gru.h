// A gated recurrent unit (Cho et al., arXiv 1406.1078, in the form of PyTorch's GRUCell): on one
// vector, and over a sequence.
#pragma once
#include "models/parts/parts.h"

namespace sv::parts {

/// r = sigmoid(i_r + U_r h), z = sigmoid(i_z + U_z h), n = tanh(i_n + r (U_n h + b_n)),
/// h' = n + z (h - n), with [i_r | i_z | i_n] = W x + b of the input; rows of W and U in that
/// order.
class Gru {
 public:
  Gru(Params&, const std::string& name, int64_t in, int64_t width);
  /// W x + b. x (M,...,in); (M,...,3D). An input that stays needs it once.
  Var gates(Pass&, Var x) const;
  /// The next state. h (M,...,D), gates (M,...,3D).
  Var operator()(Pass&, Var h, Var gates) const;
  /// The states of a pass over x (M,B,T,in) from position 0 on, or backwards from position T - 1;
  /// (M,B,T,D). `in_use` (M,B,T), 1 or 0, or absent: the state is zero where it is 0.
  Var over(Pass&, Var x, bool backwards, Var in_use) const;

 private:
  int64_t width_;
  Linear input_, state_;
};

}  // namespace sv::parts
