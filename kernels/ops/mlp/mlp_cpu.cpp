#include "kernels/memory/device.h"
#include "kernels/ops/activate/activate.h"
#include "kernels/ops/arguments.h"
#include "kernels/ops/matmul/matmul.h"
#include "kernels/ops/mlp/mlp.h"
#include "kernels/ops/mlp/mlp_device.h"
#include "kernels/ops/silu_gate/silu_gate.h"

namespace sv::ops {

namespace {

void check(const Tensor& x, const MlpWeights& w, const Tensor& y) {
  const int64_t M = x.dim(0), D = x.dim(-1), F = w.down.dim(-1);
  const int64_t wide = w.gated ? 2 * F : F;
  expect_shape(w.up.shape, {M, wide, D}, "up");
  expect_shape(w.down.shape, {M, D, F}, "down");
  expect_shape(y.shape, x.shape, "y");
  if (w.up_bias) {
    expect_shape(w.up_bias.shape, {M, wide}, "up_bias");
  }
  if (w.down_bias) {
    expect_shape(w.down_bias.shape, {M, D}, "down_bias");
  }
}

}  // namespace

void mlp(const Context& ctx, const Tensor& x, const MlpWeights& w, const Tensor& y) {
  check(x, w, y);
  if (ctx.device) {
    device::mlp(ctx, x, w, y);
    return;
  }
  const ArenaScope scope(*ctx.arena);
  const Tensor a = make_tensor(*ctx.arena, x.shape.with(-1, w.up.dim(1)), x.dtype);
  const Tensor h = make_tensor(*ctx.arena, x.shape.with(-1, w.down.dim(2)), x.dtype);
  matmul(ctx, x, w.up, w.up_bias, a);
  if (w.gated) {
    silu_gate(ctx, a, h);
  } else {
    activate(ctx, Activation::gelu, a, h);
  }
  matmul(ctx, h, w.down, w.down_bias, y);
}

}  // namespace sv::ops
