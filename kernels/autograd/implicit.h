// The gradient of a fixed point z = F(z) by the implicit function theorem (Bai et al., arXiv
// 1909.01377): with y = F(z) recorded once at a fixed point, an incoming gradient v leaves as u
// where u = v + J^T u, J being the Jacobian of F at z. The equation is solved by a fixed number of
// iterations, each of which runs F and its VJP again with parameters held fixed.
#pragma once
#include <algorithm>
#include <array>
#include <span>

#include "kernels/autograd/checkpoint.h"
#include "kernels/memory/copy.h"
#include "kernels/ops/elementwise/elementwise.h"

namespace sv {

/// `at`: where J is taken, the inputs of the recorded run; `y`: its outputs, replaced by the same
/// values under names of their own. `segment(tape, inputs, outputs)` is F, a pure function,
/// copyable and trivially destructible; parameters of `tape` must be constants when it has
/// fixed_parameters(). Converges where the spectral radius of J is below one.
template <class F>
void implicit_gradient(
    Tape& tape, std::span<const Var> at, std::span<Var> y, int iterations, F segment) {
  SV_CHECK(at.size() == y.size() && y.size() <= kMaxCheckpointVars, "too many parts of a state");
  CheckpointVars z{}, in{}, out{};
  const size_t parts = y.size();
  std::copy(at.begin(), at.end(), z.begin());
  for (size_t i = 0; i < parts; ++i) {
    in[i] = y[i];
    out[i] = tape.alias(y[i]);
    y[i] = out[i];
  }
  // As in checkpoint(): the record hangs on an output of its own, visited after all users of y.
  Var anchor = tape.output({1}, DType::f32, true);
  anchor->has_grad = true;
  anchor->grad = anchor->value;
  const auto vjp = [=](Tape& t, const Tensor&) {
    std::array<Tensor, kMaxCheckpointVars> u{};
    for (size_t i = 0; i < parts; ++i) {
      t.ensure_grad(in[i]);
    }
    const MemoryScope scope(t.ctx);
    for (size_t i = 0; i < parts; ++i) {
      t.ensure_grad(out[i]);
      u[i] = out[i].needs_grad() ? copy_of(t.ctx, out[i]->grad) : Tensor{};
    }
    for (int k = 0; k < iterations; ++k) {
      const MemoryScope one(t.ctx);
      Tape again(t.ctx, true);
      again.fix_parameters();
      CheckpointVars sub_in{}, sub_out{};
      for (size_t i = 0; i < parts; ++i) {
        const Tensor grad = copy_of(t.ctx, z[i]->value);
        zero_tensor(t.ctx, grad);
        sub_in[i] = again.parameter(z[i]->value, grad);
      }
      F repeat = segment;
      repeat(again, sub_in, sub_out);
      for (size_t i = 0; i < parts; ++i) {
        if (u[i] && sub_out[i].needs_grad()) {
          again.seed_grad(sub_out[i], u[i]);
        }
      }
      again.backward();
      for (size_t i = 0; i < parts; ++i) {
        if (u[i]) {
          copy_tensor(t.ctx, u[i], out[i]->grad);
          ops::put(t.ctx, sub_in[i]->grad, {u[i], GradientMode::accumulate});
        }
      }
    }
    for (size_t i = 0; i < parts; ++i) {
      if (u[i]) {
        ops::put(t.ctx, u[i], {in[i]->grad, GradientMode::accumulate});
      }
    }
  };
  tape.record(anchor, vjp);
}

}  // namespace sv
