#include "kernels/ops/attention_fused/attention_fused_device.h"

#include "kernels/ops/arguments.h"
#include "kernels/ops/attention/attention_launch.h"
#include "kernels/ops/attention_fused/attention_fused_body.h"
#include "kernels/ops/device_rows.h"

namespace sv::ops::device {

namespace {

static_assert(kMostFusedWidth == kMostFusedHead);

AttentionShape shape_of(const FusedAttention& in, const char* op) {
  AttentionShape d = attention_shape(in.q, in.k, in.heads, in.kv_heads, kMostFusedWidth, op);
  d.tile_T = equal_head_tiles(d.T, fused_tile(d.K));
  d.tile_S = equal_head_tiles(d.S, fused_tile(d.K));
  return d;
}

void launch_delta(const Context& ctx,
                  const AttentionShape& d,
                  const LiveModels& models,
                  const Tensor& o,
                  const Tensor& dout,
                  float* delta) {
  const int64_t rows = int64_t{d.B} * d.T * d.H;
  const int64_t blocks = (rows + FusedDelta::kThreads - 1) / FusedDelta::kThreads;
  launch<FusedDelta>(
      ctx,
      {.grid_x = static_cast<int>(blocks), .grid_y = models.count, .block = FusedDelta::kThreads},
      {o.as<float>(), dout.as<float>(), delta, d, models});
}

}  // namespace

namespace {

/// The products of heads this wide go to tensor cores in this precision.
bool on_tensor_cores(const Context& ctx, const AttentionShape& d) {
  return ctx.precision == Precision::bf16 && d.K <= kMostMmaHead;
}

template <class K>
void launch_mma(const Context& ctx, const FusedForwardArgs& args) {
  const int tiles = head_tile_count(args.d.T, kMmaQueries);
  launch<K>(
      ctx, head_blocks(args.d, args.d.H, tiles, args.models, K::kThreads, K::kSharedBytes), args);
}

/// A copy of x with the live models' values rounded to bf16.
Tensor rounded(const Context& ctx, const Tensor& x, const LiveModels& models) {
  const Tensor y = make_tensor(*ctx.arena, x.shape, x.dtype);
  const int64_t elements = x.dim(0) == 0 ? 0 : x.numel() / x.dim(0);
  const int64_t blocks = (elements + FusedRound::kThreads - 1) / FusedRound::kThreads;
  launch<FusedRound>(
      ctx,
      {.grid_x = static_cast<int>(blocks), .grid_y = models.count, .block = FusedRound::kThreads},
      {x.as<float>(), y.as<float>(), elements, models});
  return y;
}

}  // namespace

void attention_fused(const Context& ctx,
                     const FusedAttention& in,
                     const Tensor& o,
                     const Tensor& stats) {
  AttentionShape d = shape_of(in, "attention_fused");
  d.tile_S = std::min(fused_tile(d.K), std::max(4, up_to_four(d.S)));
  const FusedForwardArgs args{
      in.q.as<float>(),
      in.k.as<float>(),
      in.v.as<float>(),
      o.as<float>(),
      stats.as<float>(),
      d,
      device_mask(in.mask),
      static_cast<float>(in.scale),
      d.K % 4 == 0 && all_aligned({in.q.data, in.k.data, in.v.data, o.data}),
      live_models(ctx, in.q.dim(0))};
  if (on_tensor_cores(ctx, d)) {
    if (d.K <= kMostMmaHead / 2) {
      launch_mma<FusedForwardBf16Narrow>(ctx, args);
    } else {
      launch_mma<FusedForwardBf16>(ctx, args);
    }
    return;
  }
  const int softmax_threads =
      (kSoftmaxParts * d.tile_T + simt::kWarp - 1) / simt::kWarp * simt::kWarp;
  const int block =
      std::max({softmax_threads, patch_threads(d.tile_T, d.tile_S), patch_threads(d.tile_T, d.K)});
  launch<FusedForward>(
      ctx,
      head_blocks(
          d, d.H, head_tile_count(d.T, d.tile_T), args.models, block, FusedForward::Tiles(d).bytes),
      args);
}

void attention_fused_vjp(const Context& ctx,
                         const FusedAttention& in,
                         const Tensor& o,
                         const Tensor& stats,
                         const Tensor& dout,
                         const Grad& dq,
                         const Grad& dk,
                         const Grad& dv) {
  const AttentionShape d = shape_of(in, "attention_fused_vjp");
  const LiveModels models = live_models(ctx, in.q.dim(0));
  const ArenaScope scope(*ctx.arena);
  float* delta =
      ctx.arena->alloc_n<float>(static_cast<size_t>(int64_t{models.count} * d.B * d.H * d.T));
  launch_delta(ctx, d, models, o, dout, delta);
  FusedAttention read = in;
  if (on_tensor_cores(ctx, d)) {
    for (Tensor* x : {&read.q, &read.k, &read.v}) {
      *x = rounded(ctx, *x, models);
    }
  }
  FusedBackwardArgs args{};
  args.q = read.q.as<float>(), args.k = read.k.as<float>(), args.v = read.v.as<float>();
  args.dout = dout.as<float>(), args.stats = stats.as<float>(), args.delta = delta;
  args.dq = data_or_null<float>(dq);
  args.dk = data_or_null<float>(dk);
  args.dv = data_or_null<float>(dv);
  args.d = d;
  args.mask = device_mask(in.mask);
  args.scale = static_cast<float>(in.scale);
  args.adds_dq = dq.adds(), args.adds_dk = dk.adds(), args.adds_dv = dv.adds();
  args.vector =
      d.K % 4 == 0 &&
      all_aligned({read.q.data, read.k.data, read.v.data, dout.data, args.dq, args.dk, args.dv});
  args.models = models;
  const int pattern = patch_threads(d.tile_T, d.tile_S);
  if (args.dq) {
    launch<FusedDq>(ctx,
                    head_blocks(d,
                                d.H,
                                head_tile_count(d.T, d.tile_T),
                                models,
                                std::max(pattern, patch_threads(d.tile_T, d.K)),
                                FusedDq::Tiles(d).bytes),
                    args);
  }
  if (args.dk || args.dv) {
    launch<FusedDkv>(ctx,
                     head_blocks(d,
                                 d.G,
                                 head_tile_count(d.S, d.tile_S),
                                 models,
                                 std::max(pattern, patch_threads(d.tile_S, d.K)),
                                 FusedDkv::Tiles(d).bytes),
                     args);
  }
}

}  // namespace sv::ops::device
