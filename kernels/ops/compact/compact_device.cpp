#include "kernels/ops/compact/compact_device.h"

#include "kernels/ops/compact/compact_body.h"
#include "kernels/ops/device_rows.h"
#include "kernels/ops/rows/rows_body.h"

namespace sv::ops::device {

void live_rows(const Context& ctx, const Tensor& live, const Tensor& rows, const Tensor& count) {
  const LiveModels models = live_models(ctx, live.dim(0));
  launch<LiveRows>(
      ctx,
      {.grid_x = models.count, .block = LiveRows::kThreads, .shared_bytes = LiveRows::kSharedBytes},
      {live.as<int32_t>(), rows.as<int32_t>(), count.as<int32_t>(), live.dim(1), models});
}

void copy_live(
    const Context& ctx, const Tensor& x, const Tensor& rows, const Tensor& y, bool scatter) {
  const int64_t M = x.dim(0), B = x.dim(1), chosen = y.dim(1);
  const LiveModels models = live_models(ctx, M);
  SV_CHECK(x.dtype != DType::bf16,
           "rows on a device take elements of 4 or 8 bytes, got ",
           dtype_name(x.dtype));
  const int64_t words = M * B == 0 ? 0 : static_cast<int64_t>(x.bytes()) / 4 / (M * B);
  const auto team = simt::row_team(words, all_aligned({x.data, y.data}));
  launch<CopyRows>(ctx,
                   rows_shape(team, chosen, models),
                   {{rows.as<int32_t>(), rows.dim(1), B, chosen},
                    static_cast<float*>(x.data),
                    static_cast<float*>(y.data),
                    words,
                    scatter,
                    team,
                    models});
}

}  // namespace sv::ops::device
