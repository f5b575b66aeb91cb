// What the forward kernels of attention_fused share: their arguments, and which part of the work a
// block has.
#pragma once
#include "kernels/ops/attention/attention_tile.h"

namespace sv::ops {

/// A block's sequence, head (or group) and tile.
struct FusedPlace {
  int64_t m, mb;
  int b, h, tile;
  template <class C>
  SV_DEVICE FusedPlace(C& ctx, const LiveModels& models, int B, int heads, int tiles)
      : m(models.model(ctx.block_y())),
        mb(m * B + ctx.block_x() / tiles / heads),
        b(ctx.block_x() / tiles / heads),
        h(ctx.block_x() / tiles % heads),
        tile(ctx.block_x() % tiles) {}
};

struct FusedForwardArgs {
  const float* q;  // (M, B, T, H K)
  const float* k;  // (M, B, S, G K)
  const float* v;  // (M, B, S, G K)
  float* o;        // (M, B, T, H K)
  float* stats;    // (M, B, H, T, 2)
  AttentionShape d;
  DeviceMask mask;
  float scale;
  bool vector;
  LiveModels models;
};

}  // namespace sv::ops
