#include "kernels/ops/attention/attention_device.h"

#include "kernels/ops/attention/attention_body.h"
#include "kernels/ops/attention/attention_launch.h"
#include "kernels/ops/device_rows.h"

namespace sv::ops::device {

namespace {

bool whole_fours(int n, std::initializer_list<const void*> pointers) {
  return n % 4 == 0 && all_aligned(pointers);
}

/// p of rows (M, B, T, H K) and keys (M, B, S, G K).
template <ScoreUse kind>
void scores(const Context& ctx,
            const Tensor& rows,
            const Tensor& keys,
            const AttentionShape& d,
            const DeviceMask& mask,
            double scale,
            bool adds,
            const Tensor& p) {
  using Kernel = AttentionScores<kind>;
  const LiveModels models = live_models(ctx, rows.dim(0));
  launch<Kernel>(ctx,
                 head_blocks(d,
                             d.H,
                             head_tile_count(d.T, d.tile_T),
                             models,
                             patch_threads(d.tile_T, d.tile_S),
                             typename Kernel::Tiles(d).bytes),
                 {rows.as<float>(),
                  keys.as<float>(),
                  p.as<float>(),
                  d,
                  mask,
                  static_cast<float>(scale),
                  adds,
                  whole_fours(d.K, {rows.data, keys.data}),
                  whole_fours(d.S, {p.data}),
                  models});
}

AttentionShape score_tiles(AttentionShape d) {
  d.tile_T = equal_head_tiles(d.T, kHeadTile);
  d.tile_S = equal_head_tiles(d.S, kHeadTile);
  return d;
}

/// A weight matrix of every head: w (M, B, H, T, S), or (live, B, H, T, S) by place.
struct Weights {
  const float* data;
  bool by_place;
};

/// Rows or columns of c that one block can take beside a head's width.
int most_beside(const AttentionShape& d) {
  return std::min(kHeadTile, 4 * (kHeadThreads / (d.width() / 4)));
}

void weighted_rows(const Context& ctx,
                   const Weights& w,
                   const Tensor& x,
                   AttentionShape d,
                   bool adds,
                   const Tensor& out) {
  d.tile_T = equal_head_tiles(d.T, most_beside(d));
  d.tile_S = equal_head_tiles(d.S, kHeadTile);
  const LiveModels models = live_models(ctx, x.dim(0));
  launch<AttentionRows>(ctx,
                        head_blocks(d,
                                    d.H,
                                    head_tile_count(d.T, d.tile_T),
                                    models,
                                    patch_threads(d.tile_T, d.K),
                                    AttentionRows::Tiles(d).bytes),
                        {w.data,
                         x.as<float>(),
                         out.as<float>(),
                         d,
                         adds,
                         whole_fours(d.K, {x.data, out.data}),
                         whole_fours(d.S, {w.data}),
                         w.by_place,
                         models});
}

void weighted_columns(
    const Context& ctx, const Weights& w, const Tensor& x, AttentionShape d, const Grad& out) {
  d.tile_T = equal_head_tiles(d.T, kHeadTile);
  d.tile_S = equal_head_tiles(d.S, most_beside(d));
  const LiveModels models = live_models(ctx, x.dim(0));
  launch<AttentionColumns>(ctx,
                           head_blocks(d,
                                       d.G,
                                       head_tile_count(d.S, d.tile_S),
                                       models,
                                       patch_threads(d.tile_S, d.K),
                                       AttentionColumns::Tiles(d).bytes),
                           {w.data,
                            x.as<float>(),
                            out.t.as<float>(),
                            d,
                            out.adds(),
                            whole_fours(d.K, {x.data, out.t.data}),
                            whole_fours(d.S, {w.data}),
                            w.by_place,
                            models});
}

}  // namespace

void attention_pattern(const Context& ctx,
                       const Tensor& q,
                       const Tensor& k,
                       const AttentionMask& mask,
                       int heads,
                       int kv_heads,
                       double scale,
                       const Tensor& p) {
  const AttentionShape d =
      score_tiles(attention_shape(q, k, heads, kv_heads, kMostHeadWidth, "attention_pattern"));
  using Short = AttentionScores<ScoreUse::softmax>;
  if (Short::Tiles(d).bytes <= Short::kMostBytes) {
    scores<ScoreUse::softmax>(ctx, q, k, d, device_mask(mask), scale, false, p);
  } else {
    scores<ScoreUse::long_softmax>(ctx, q, k, d, device_mask(mask), scale, false, p);
  }
}

void attention_pattern_vjp(const Context& ctx,
                           const Tensor& q,
                           const Tensor& k,
                           const Tensor& p,
                           const Tensor& dp,
                           const AttentionMask& mask,
                           int heads,
                           int kv_heads,
                           double scale,
                           const Grad& dq,
                           const Grad& dk) {
  const AttentionShape d =
      attention_shape(q, k, heads, kv_heads, kMostHeadWidth, "attention_pattern_vjp");
  if (!dq.wanted() && !dk.wanted()) {
    return;
  }
  const LiveModels models = live_models(ctx, q.dim(0));
  const ArenaScope scope(*ctx.arena);
  const int64_t rows = int64_t{d.B} * d.H * d.T;
  float* ds = ctx.arena->alloc_n<float>(static_cast<size_t>(models.count * rows * d.S));
  const int64_t blocks = (rows + AttentionScoreGradient::kRows - 1) / AttentionScoreGradient::kRows;
  launch<AttentionScoreGradient>(
      ctx,
      {.grid_x = static_cast<int>(blocks),
       .grid_y = models.count,
       .block = AttentionScoreGradient::kThreads},
      {p.as<float>(), dp.as<float>(), ds, d, device_mask(mask), static_cast<float>(scale), models});
  if (dq.wanted()) {
    weighted_rows(ctx, {ds, true}, k, d, dq.adds(), dq.t);
  }
  if (dk.wanted()) {
    weighted_columns(ctx, {ds, true}, q, d, dk);
  }
}

void attention_mix(const Context& ctx,
                   const Tensor& p,
                   const Tensor& v,
                   int heads,
                   int kv_heads,
                   const Tensor& o) {
  const AttentionShape d = attention_shape(o, v, heads, kv_heads, kMostHeadWidth, "attention_mix");
  weighted_rows(ctx, {p.as<float>(), false}, v, d, false, o);
}

void attention_mix_vjp(const Context& ctx,
                       const Tensor& p,
                       const Tensor& v,
                       const Tensor& dout,
                       int heads,
                       int kv_heads,
                       const Grad& dp,
                       const Grad& dv) {
  const AttentionShape d =
      attention_shape(dout, v, heads, kv_heads, kMostHeadWidth, "attention_mix_vjp");
  if (dp.wanted()) {
    scores<ScoreUse::products>(ctx, dout, v, score_tiles(d), {}, 1.0, dp.adds(), dp.t);
  }
  if (dv.wanted()) {
    weighted_columns(ctx, {p.as<float>(), false}, dout, d, dv);
  }
}

}  // namespace sv::ops::device
