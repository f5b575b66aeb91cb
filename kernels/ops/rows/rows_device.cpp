#include "kernels/ops/rows/rows_device.h"

#include <vector>

#include "kernels/ops/arguments.h"
#include "kernels/ops/device_rows.h"
#include "kernels/ops/rows/rows_body.h"

namespace sv::ops::device {

namespace {

void check_numbers(const Context& ctx,
                   const ChosenRows& chosen,
                   const LiveModels& models,
                   bool distinct) {
  const ArenaScope scope(*ctx.arena);
  const auto live = static_cast<size_t>(models.count);
  int* seen = nullptr;
  if (distinct) {
    const size_t count = live * static_cast<size_t>(chosen.large);
    seen = ctx.arena->alloc_n<int>(count);
    ctx.device->zero(seen, count * sizeof(int));
  }
  int* problem = ctx.arena->alloc_n<int>(2 * live);
  launch<CheckRows>(
      ctx,
      {.grid_x = models.count, .block = CheckRows::kThreads, .shared_bytes = simt::kReduceBytes},
      {chosen, seen, problem, models});
  std::vector<int> found(2 * live);
  ctx.device->to_host(found.data(), problem, found.size() * sizeof(int));
  for (size_t i = 0; i < live; ++i) {
    const int m = models.model(static_cast<int>(i));
    SV_CHECK(found[2 * i] == INT_MAX,
             "rows[",
             m,
             ", ",
             found[2 * i],
             "] is outside [-1, ",
             chosen.large,
             ")");
    SV_CHECK(found[2 * i + 1] == INT_MAX,
             "rows[",
             m,
             ", ",
             found[2 * i + 1],
             "] is named more than once");
  }
}

void copy_rows(
    const Context& ctx, const Tensor& x, const Tensor& rows, const Tensor& y, bool scatter) {
  const int64_t M = x.dim(0), large = x.dim(1), small = y.dim(1);
  const LiveModels models = live_models(ctx, M);
  const ChosenRows chosen{rows.as<int32_t>(), model_stride(rows, M, "rows"), large, small};
  const int64_t words = M * large == 0 ? 0 : static_cast<int64_t>(x.bytes()) / 4 / (M * large);
  SV_CHECK(x.bytes() % 4 == 0 && x.dtype != DType::bf16,
           "rows on a device take elements of 4 or 8 bytes, got ",
           dtype_name(x.dtype));
  check_numbers(ctx, chosen, models, scatter);
  const auto team = simt::row_team(words, all_aligned({x.data, y.data}));
  launch<CopyRows>(ctx,
                   rows_shape(team, small, models),
                   {chosen,
                    static_cast<float*>(x.data),
                    static_cast<float*>(y.data),
                    words,
                    scatter,
                    team,
                    models});
}

}  // namespace

void gather_rows(const Context& ctx, const Tensor& x, const Tensor& rows, const Tensor& y) {
  copy_rows(ctx, x, rows, y, false);
}

void scatter_rows(const Context& ctx, const Tensor& y, const Tensor& rows, const Tensor& x) {
  copy_rows(ctx, x, rows, y, true);
}

}  // namespace sv::ops::device
