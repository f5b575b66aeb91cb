#include "kernels/ops/embed/embed_device.h"

#include "kernels/ops/arguments.h"
#include "kernels/ops/device_rows.h"
#include "kernels/ops/embed/embed_body.h"

namespace sv::ops::device {

namespace {

/// A warp walks over a chunk: short ones, but at most 64, which bounds the memory of the counts.
constexpr int64_t kLeastChunk = 256, kMostChunks = 64;

EmbedIds view(const Tensor& ids, const Tensor& y, int64_t V) {
  return {ids.as<int32_t>(), model_stride(ids, y.dim(0), "ids"), ids.dim(1) * ids.dim(2), V};
}

EmbedSort alloc_sort(const Context& ctx, int64_t lists, int64_t N, int64_t V) {
  EmbedSort sort{};
  sort.N = N;
  sort.chunk = kLeastChunk * ((N + kLeastChunk * kMostChunks - 1) / (kLeastChunk * kMostChunks));
  sort.chunks = static_cast<int>((N + sort.chunk - 1) / sort.chunk);
  const auto take = [&](int64_t count) {
    return ctx.arena->alloc_n<int>(static_cast<size_t>(lists * count));
  };
  sort.counts = take(sort.chunks * V);
  sort.first = take(V + 1);
  sort.slots = take(V + 1);
  sort.order = take(N);
  return sort;
}

/// Sorts the tokens of each list by id.
void sort_tokens(const Context& ctx,
                 const EmbedIds& ids,
                 const EmbedSort& sort,
                 int lists,
                 const LiveModels& models) {
  const int64_t V = ids.V;
  launch<EmbedCount>(ctx,
                     {.grid_x = sort.chunks, .grid_y = lists, .block = EmbedCount::kThreads},
                     {ids, sort, models});
  const int64_t blocks = (V + EmbedTotals::kThreads - 1) / EmbedTotals::kThreads;
  launch<EmbedTotals>(
      ctx,
      {.grid_x = static_cast<int>(blocks), .grid_y = lists, .block = EmbedTotals::kThreads},
      {sort, V});
  launch<EmbedStarts>(
      ctx,
      {.grid_x = lists, .block = EmbedStarts::kThreads, .shared_bytes = EmbedStarts::kSharedBytes},
      {sort, V});
  launch<EmbedPlace>(
      ctx, {.grid_x = sort.chunks, .grid_y = lists, .block = simt::kWarp}, {ids, sort, models});
}

}  // namespace

void embed(const Context& ctx, const Tensor& ids, const Tensor& table, const Tensor& y) {
  expect_device_f32(y, "embed");
  const int64_t N = y.dim(1) * y.dim(2), D = y.dim(3);
  const LiveModels models = live_models(ctx, y.dim(0));
  const auto team = simt::row_team(D, all_aligned({table.data, y.data}));
  launch<EmbedForward>(
      ctx,
      rows_shape(team, N, models),
      {view(ids, y, table.dim(1)), table.as<float>(), y.as<float>(), N, D, team, models});
}

void embed_vjp(const Context& ctx, const Tensor& ids, const Tensor& dy, const Grad& dtable) {
  expect_device_f32(dy, "embed_vjp");
  const int64_t N = dy.dim(1) * dy.dim(2), D = dy.dim(3), V = dtable.t.dim(1);
  const LiveModels models = live_models(ctx, dy.dim(0));
  const EmbedIds list = view(ids, dy, V);
  const bool shared = list.model == 0;
  float* to = dtable.t.as<float>();
  if (N == 0 || V * D == 0) {
    for (int i = 0; i < models.count && !dtable.adds(); ++i) {
      ctx.device->zero(to + models.model(i) * V * D, static_cast<size_t>(V * D) * sizeof(float));
    }
    return;
  }
  SV_CHECK(N <= (int64_t{1} << 30), "embed_vjp on a device takes at most 2^30 tokens, got ", N);
  const ArenaScope scope(*ctx.arena);
  const int lists = shared ? 1 : models.count;
  const EmbedSort sort = alloc_sort(ctx, lists, N, V);
  float* partial =
      ctx.arena->alloc_n<float>(static_cast<size_t>(models.count * sort.most_slots() * D));
  sort_tokens(ctx, list, sort, lists, models);
  const int tiles = static_cast<int>((D + simt::kWarp - 1) / simt::kWarp);
  LaunchShape shape{.grid_x = static_cast<int>((V + sort.most_slots()) * tiles),
                    .grid_y = models.count,
                    .block = kSumThreads,
                    .shared_bytes = column_sum_bytes(1)};
  launch<EmbedSums>(
      ctx, shape, {sort, dy.as<float>(), to, partial, V, D, tiles, shared, dtable.adds(), models});
  if (sort.most_slots() > 0) {
    shape.grid_x = static_cast<int>(V * tiles);
    launch<EmbedSlots>(ctx, shape, {sort, partial, to, V, D, tiles, shared, dtable.adds(), models});
  }
}

}  // namespace sv::ops::device
