#include "kernels/ops/linear_xent/linear_xent_device.h"

#include "kernels/ops/column_sums_device.h"
#include "kernels/ops/linear_xent/linear_xent_body.h"
#include "kernels/ops/loss_sums_device.h"

namespace sv::ops::device {

namespace {

constexpr int64_t kFewClasses = 16;  // one tile of J = 1
/// Most numbers of all splits' dw of one model, and most splits: scratch of 4 MiB, which also
/// splits the rows of small models over enough blocks.
constexpr int64_t kSplitElements = int64_t{1} << 20;
constexpr int64_t kMostSplits = 64;

int64_t pieces(int64_t size, int64_t of) {
  return (size + of - 1) / of;
}

LinearXentData data_of(const LinearXentInputs& in) {
  return {in.x.as<float>(),
          in.w.as<float>(),
          data_or_null<float>(in.bias),
          {in.targets.as<int32_t>(), model_stride(in.targets, in.x.dim(0), "targets")},
          in.x.dim(1) * in.x.dim(2),
          in.w.dim(1),
          in.x.dim(3)};
}

/// Launches a kernel of rows, 16 or 64 classes at a time, on tiles of 64 rows; of 16 where those
/// would leave multiprocessors without a block.
template <template <int, int> class K>
void launch_rows(const Context& ctx,
                 const LinearXentData& d,
                 int models,
                 int64_t across,
                 int (*shared_bytes)(int J, int R),
                 const typename K<1, 16>::Args& args) {
  const bool many = pieces(d.N, 64) * models * across >= ctx.device->processors();
  const int J = d.V <= kFewClasses ? 1 : 4, R = many ? 64 : 16;
  const LaunchShape shape{.grid_x = static_cast<int>(pieces(d.N, R)),
                          .grid_y = models,
                          .grid_z = static_cast<int>(across),
                          .block = xent_threads(R),
                          .shared_bytes = shared_bytes(J, R)};
  if (J == 1) {
    many ? launch<K<1, 64>>(ctx, shape, args) : launch<K<1, 16>>(ctx, shape, args);
  } else {
    many ? launch<K<4, 64>>(ctx, shape, args) : launch<K<4, 16>>(ctx, shape, args);
  }
}

/// dw and dbias: partial sums per split of the rows, then the splits in order.
void put_dw(const Context& ctx,
            const LinearXentData& d,
            const XentSlopes& slopes,
            const LiveModels& models,
            const Grad& dw,
            const Grad& dbias) {
  const ArenaScope scope(*ctx.arena);
  const int64_t row_tiles = std::max<int64_t>(1, pieces(d.N, kXentRows));
  const int64_t most = std::clamp<int64_t>(kSplitElements / (d.V * d.D), 1, kMostSplits);
  const int64_t split_tiles = pieces(row_tiles, std::min(row_tiles, most));
  const int64_t splits = pieces(row_tiles, split_tiles);
  const auto partial = [&](const Grad& g, int64_t columns) {
    const auto count = static_cast<size_t>(models.count * splits * columns);
    return g.wanted() ? ctx.arena->alloc_n<float>(count) : nullptr;
  };
  float* dw_parts = partial(dw, d.V * d.D);
  float* dbias_parts = partial(dbias, d.V);
  const int64_t across = dw.wanted() ? pieces(d.D, kXentWidth) : 1;
  // Also many classes go 16 at a time where the tiles of 64 leave multiprocessors without a block.
  const bool few = d.V <= kFewClasses ||
                   pieces(d.V, 64) * splits * models.count * across < ctx.device->processors();
  const LaunchShape shape{.grid_x = static_cast<int>(pieces(d.V, few ? 16 : 64) * splits),
                          .grid_y = models.count,
                          .grid_z = static_cast<int>(across),
                          .block = xent_threads(kXentRows),
                          .shared_bytes = xent_vjp_bytes(few ? 1 : 4, kXentRows)};
  const LinearXentDwArgs args{d,
                              slopes,
                              dw_parts,
                              dbias_parts,
                              static_cast<int>(splits),
                              static_cast<int>(split_tiles),
                              models};
  few ? launch<LinearXentDw<1>>(ctx, shape, args) : launch<LinearXentDw<4>>(ctx, shape, args);
  const auto total = [&](const Grad& g, int64_t columns, const float* parts) {
    ColumnBlocks blocks;
    blocks.columns = columns;
    blocks.blocks = static_cast<int>(splits);
    blocks.tiles = static_cast<int>(pieces(columns, simt::kWarp));
    put_column_sums(ctx, blocks, models, parts, 1, 0, g);
  };
  total(dw, d.V * d.D, dw_parts);
  total(dbias, d.V, dbias_parts);
}

}  // namespace

void linear_xent(const Context& ctx,
                 const LinearXentInputs& in,
                 const Tensor& loss,
                 const Tensor& nll,
                 const Tensor& logz) {
  expect_device_f32(in.x, "linear_xent");
  const LinearXentData d = data_of(in);
  const LiveModels models = live_models(ctx, in.x.dim(0));
  launch_rows<LinearXentForward>(
      ctx, d, models.count, 1, xent_forward_bytes, {d, nll.as<float>(), logz.as<float>(), models});
  put_loss<WeightedNll>(
      ctx,
      models,
      d.N,
      {nll.as<float>(), in.weight.as<float>(), d.N, model_stride(in.weight, in.x.dim(0), "weight")},
      loss);
}

void linear_xent_vjp(const Context& ctx,
                     const LinearXentInputs& in,
                     const Tensor& logz,
                     const Tensor& dloss,
                     const Grad& dx,
                     const Grad& dw,
                     const Grad& dbias) {
  expect_device_f32(in.x, "linear_xent_vjp");
  const LinearXentData d = data_of(in);
  const LiveModels models = live_models(ctx, in.x.dim(0));
  const XentSlopes slopes{in.weight.as<float>(),
                          model_stride(in.weight, in.x.dim(0), "weight"),
                          logz.as<float>(),
                          dloss.as<float>()};
  if (dx.wanted()) {
    launch_rows<LinearXentDx>(ctx,
                              d,
                              models.count,
                              pieces(d.D, kXentWidth),
                              xent_vjp_bytes,
                              {d, slopes, dx.t.as<float>(), dx.adds(), models});
  }
  if (dw.wanted() || dbias.wanted()) {
    put_dw(ctx, d, slopes, models, dw, dbias);
  }
}

}  // namespace sv::ops::device
