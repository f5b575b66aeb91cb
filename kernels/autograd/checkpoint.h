// A recomputed segment as one tape record: the forward run keeps only the segment's ends, the
// backward run repeats it from the saved start on a tape of its own. Gradients equal the full
// tape's (same ops, same bits).
#pragma once
#include <algorithm>
#include <array>
#include <span>

#include "kernels/autograd/tape.h"
#include "kernels/memory/copy.h"

namespace sv {

inline constexpr int kMaxCheckpointVars = 8;
using CheckpointVars = std::array<Var, kMaxCheckpointVars>;

/// Runs `segment(tape, inputs, outputs, replay)` without recording and records one VJP that runs it
/// again. inputs: what the segment reads besides parameters; outputs: `count_out` Vars of the
/// shapes of `like[0 .. count_out)`. `segment` must be a pure function of its inputs, copyable and
/// trivially destructible.
template <class F>
void checkpoint(Tape& tape,
                std::span<const Var> inputs,
                std::span<const Var> like,
                std::span<Var> outputs,
                F segment) {
  SV_CHECK(inputs.size() <= kMaxCheckpointVars && outputs.size() <= kMaxCheckpointVars,
           "too many checkpoint variables");
  CheckpointVars in{};
  CheckpointVars out{};
  for (size_t i = 0; i < outputs.size(); ++i) {
    out[i] = tape.output(like[i].shape(), like[i].value().dtype, true);
  }
  std::copy(inputs.begin(), inputs.end(), in.begin());
  {
    const MemoryScope scope(tape.ctx);
    Tape forward(tape.ctx, false);
    CheckpointVars sub_in{};
    CheckpointVars sub_out{};
    for (size_t i = 0; i < inputs.size(); ++i) {
      sub_in[i] = forward.constant(in[i]->value);
    }
    segment(forward, sub_in, sub_out, false);
    for (size_t i = 0; i < outputs.size(); ++i) {
      copy_tensor(tape.ctx, out[i].value(), sub_out[i].value());
    }
  }
  const size_t count_in = inputs.size();
  const size_t count_out = outputs.size();
  // One record owns the segment. It hangs on an output of its own that always has a gradient once
  // any output has: records are visited in reverse, so every consumer of the outputs has run by
  // then.
  Var anchor = tape.output({1}, DType::f32, true);
  anchor->has_grad = true;
  anchor->grad = anchor->value;
  const auto vjp = [=](Tape& t, const Tensor&) {
    bool any = false;
    for (size_t i = 0; i < count_out; ++i) {
      any = any || out[i]->has_grad;
    }
    if (!any) {
      return;
    }
    for (size_t i = 0; i < count_in; ++i) {
      t.ensure_grad(in[i]);
    }
    const MemoryScope scope(t.ctx);
    Tape again(t.ctx, true);
    CheckpointVars sub_in{};
    CheckpointVars sub_out{};
    for (size_t i = 0; i < count_in; ++i) {
      // Contributions go straight into the outer gradient, as with a parameter.
      sub_in[i] = again.parameter(in[i]->value, in[i].needs_grad() ? in[i]->grad : Tensor{});
    }
    F repeat = segment;
    repeat(again, sub_in, sub_out, true);
    for (size_t i = 0; i < count_out; ++i) {
      if (out[i]->has_grad && sub_out[i].needs_grad()) {
        again.seed_grad(sub_out[i], out[i]->grad);
      }
    }
    again.backward();
  };
  tape.record(anchor, vjp);
  std::copy(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(count_out), outputs.begin());
}

}  // namespace sv
