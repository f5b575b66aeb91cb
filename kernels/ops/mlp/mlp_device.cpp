#include "kernels/ops/mlp/mlp_device.h"

#include <limits>

#include "kernels/memory/device.h"
#include "kernels/ops/arguments.h"
#include "kernels/ops/attention/attention_launch.h"
#include "kernels/ops/mlp/mlp_body.h"

namespace sv::ops::device {

namespace {

bool by_four(const Tensor& t, int64_t extent) {
  return simt::aligned16(t.data) && extent % 4 == 0;
}

/// As many rows as their sums of y and of a chunk fit the threads, fewer where there are few.
int rows_of(int64_t N, int width, int models, int64_t few_blocks) {
  int rows = width <= kHeadTile ? 64 : width <= 2 * kHeadTile ? 32 : 16;
  while (rows > 16 && (N + rows - 1) / rows * models < few_blocks) {
    rows /= 2;
  }
  return rows;
}

}  // namespace

void mlp(
    const Context& ctx, const Tensor& x, const MlpWeights& w, const Tensor& y, int64_t few_blocks) {
  expect_device_f32(x, "mlp");
  expect_device_f32(w.up, "mlp");
  expect_device_f32(w.down, "mlp");
  const int64_t D = x.dim(-1), F = w.down.dim(2);
  SV_CHECK(D <= kMostMlpWidth, "mlp on a device takes widths to ", kMostMlpWidth, ", got ", D);
  SV_CHECK(F <= std::numeric_limits<int>::max() / 4, "mlp: a hidden width of ", F);
  SV_CHECK(ctx.precision == Precision::f32, "mlp on a device computes in f32 alone");
  Mlp::Args a{};
  a.x = x.as<float>(), a.y = y.as<float>();
  a.up = w.up.as<float>(), a.down = w.down.as<float>();
  a.up_bias = data_or_null<float>(w.up_bias), a.down_bias = data_or_null<float>(w.down_bias);
  a.D = static_cast<int>(D), a.F = static_cast<int>(F);
  a.N = x.numel() == 0 ? 0 : x.numel() / (x.dim(0) * D);
  a.models = live_models(ctx, x.dim(0));
  a.rows = rows_of(a.N, a.width(), a.models.count, few_blocks);
  a.gated = w.gated;
  a.vector_x = by_four(x, D) && by_four(y, D);
  a.vector_up = by_four(w.up, D);
  a.vector_down = by_four(w.down, F);
  const int64_t blocks = (a.N + a.rows - 1) / a.rows;
  SV_CHECK(blocks <= std::numeric_limits<int>::max(), "mlp: ", a.N, " rows");
  const int threads =
      std::max(patch_threads(a.rows, Mlp::kChunk), patch_threads(a.rows, a.width()));
  launch<Mlp>(ctx,
              {.grid_x = static_cast<int>(blocks),
               .grid_y = a.models.count,
               .block = threads,
               .shared_bytes = Mlp::Tiles(a).bytes},
              a);
}

}  // namespace sv::ops::device
