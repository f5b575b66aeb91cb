#include "kernels/ops/reduce/reduce_device.h"

#include "kernels/ops/device_rows.h"
#include "kernels/ops/reduce/reduce_body.h"

namespace sv::ops::device {

namespace {

/// Both stages over the whole of each listed model.
template <class F>
void state_total(const Context& ctx, const Tensor& x, typename F::Sum* out) {
  const int64_t M = x.dim(0), size = M == 0 ? 0 : x.numel() / M;
  const int64_t blocks = (size + kStateElements - 1) / kStateElements;
  const LiveModels models = live_models(ctx, M);
  const ArenaScope scope(*ctx.arena);
  auto* partial = ctx.arena->alloc_n<typename F::Sum>(static_cast<size_t>(models.count * blocks));
  launch<StatePartials<F>>(ctx,
                           {.grid_x = static_cast<int>(blocks),
                            .grid_y = models.count,
                            .block = kReduceThreads,
                            .shared_bytes = simt::kReduceBytes},
                           {x.as<float>(), partial, size, models});
  launch<StateTotals<F>>(
      ctx,
      {.grid_x = models.count, .block = kReduceThreads, .shared_bytes = simt::kReduceBytes},
      {partial, out, blocks, models});
}

}  // namespace

void mean_positions(const Context& ctx, const Tensor& x, const Tensor& y) {
  expect_device_f32(x, "mean_positions");
  const int64_t B = x.dim(1), D = x.dim(3);
  const LiveModels models = live_models(ctx, x.dim(0));
  launch<MeanPositions>(ctx,
                        {.grid_x = static_cast<int>((B * D + kReduceThreads - 1) / kReduceThreads),
                         .grid_y = models.count,
                         .block = kReduceThreads},
                        {x.as<float>(), y.as<float>(), B, x.dim(2), D, models});
}

void mean_positions_vjp(const Context& ctx, const Tensor& dy, const Grad& dx) {
  expect_device_f32(dy, "mean_positions_vjp");
  const int64_t B = dx.t.dim(1), positions = dx.t.dim(2), D = dx.t.dim(3);
  const LiveModels models = live_models(ctx, dy.dim(0));
  const auto team = simt::row_team(D, all_aligned({dy.data, dx.t.data}));
  launch<MeanPositionsDx>(
      ctx,
      rows_shape(team, B * positions, models),
      {dy.as<float>(), dx.t.as<float>(), B, positions, D, dx.adds(), team, models});
}

void change(const Context& ctx, const Tensor& h, const Tensor& h_prev, const Tensor& out) {
  expect_device_f32(h, "change");
  const int64_t B = h.dim(1), examples = h.dim(0) * B;
  const LiveModels models = live_models(ctx, h.dim(0));
  launch<Change>(ctx,
                 {.grid_x = static_cast<int>(B),
                  .grid_y = models.count,
                  .block = kReduceThreads,
                  .shared_bytes = simt::kReduceBytes},
                 {h.as<float>(),
                  h_prev.as<float>(),
                  out.as<float>(),
                  B,
                  examples == 0 ? 0 : h.numel() / examples,
                  models});
}

void sum_squares(const Context& ctx, const Tensor& x, const Tensor& out) {
  expect_device_f32(x, "sum_squares");
  state_total<SumSquares>(ctx, x, out.as<double>());
}

void all_finite(const Context& ctx, const Tensor& x, const Tensor& out) {
  expect_device_f32(x, "all_finite");
  state_total<AllFinite>(ctx, x, out.as<int32_t>());
}

}  // namespace sv::ops::device
