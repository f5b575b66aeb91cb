// Solvers of z = F(z), one problem per row: what the next z is, given F at the present one and at
// earlier ones. Forward only: gradients are those of the fixed point (kernels/autograd/implicit.h).
#pragma once
#include <string>

#include "kernels/memory/context.h"

namespace sv::parts {

/// damped:    z + damping (F(z) - z)
/// anderson:  sum of alpha_i (z_i + damping (F(z_i) - z_i)) over the last `memory` iterates, the
///            alpha of sum 1 that make the norm of sum alpha_i (F(z_i) - z_i) least, with a ridge
///            (Walker and Ni, SIAM J. Numer. Anal. 49, 2011)
/// broyden:   Broyden's good method for F(z) - z = 0 from the inverse Jacobian -1, with `memory`
///            rank-one updates, then a restart (Broyden, Math. Comp. 19, 1965)
class Solver {
 public:
  static constexpr int kMostMemory = 16;

  Solver() = default;
  Solver(const std::string& kind, int memory, double damping);

  bool damped() const { return kind_ == Kind::damped; }
  /// Vectors that are remembered for a row.
  int64_t slots() const;
  /// The count behind `made`: small enough to be exact in f32 for ever, and the same to the memory.
  double count_after(double made) const;
  /// z, f, next (M,B,...) with n numbers a row; memory (M,B,slots,n), zeros at the start, is
  /// brought up to date; made[m B + b], the iterates that it has seen. CPU only.
  void next(const Context& ctx,
            const Tensor& z,
            const Tensor& f,
            const Tensor& memory,
            const double* made,
            const Tensor& next) const;

 private:
  enum class Kind : uint8_t { damped, anderson, broyden } kind_ = Kind::damped;
  int memory_ = 1;
  double damping_ = 1;
};

}  // namespace sv::parts
