// Whether an op's output wants a gradient, for the wrappers of ops.h.
#pragma once
#include <initializer_list>

#include "kernels/autograd/tape.h"

namespace sv::ad {

/// Some input wants a gradient; absent ones do not.
inline bool any_grad(std::initializer_list<Var> inputs) {
  for (const Var& v : inputs) {
    if (v.needs_grad()) {
      return true;
    }
  }
  return false;
}

}  // namespace sv::ad
