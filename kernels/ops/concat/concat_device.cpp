#include "kernels/ops/concat/concat_device.h"

#include "kernels/ops/arguments.h"
#include "kernels/ops/concat/concat_body.h"
#include "kernels/ops/device_rows.h"

namespace sv::ops::device {

namespace {

/// `columns` columns of `from`, from one on, to those of `to`.
void copy_columns(const Context& ctx,
                  const Tensor& from,
                  int64_t from_first,
                  const Tensor& to,
                  int64_t to_first,
                  int64_t columns,
                  bool adds) {
  const float* source = from.as<float>() + from_first;
  float* target = to.as<float>() + to_first;
  const int64_t N = rows_per_model(from), from_width = from.dim(-1), to_width = to.dim(-1);
  const LiveModels models = live_models(ctx, from.dim(0));
  const bool rows_aligned = from_width % 4 == 0 && to_width % 4 == 0;
  const auto team = simt::row_team(columns, rows_aligned && all_aligned({source, target}));
  launch<CopyColumns>(ctx,
                      rows_shape(team, N, models),
                      {source, target, N, from_width, to_width, columns, adds, team, models});
}

}  // namespace

void concat(const Context& ctx, const Tensor& a, const Tensor& b, const Tensor& y) {
  expect_device_f32(a, "concat");
  const int64_t A = a.dim(-1), C = b.dim(-1);
  copy_columns(ctx, a, 0, y, 0, A, false);
  copy_columns(ctx, b, 0, y, A, C, false);
}

void concat_vjp(const Context& ctx, const Tensor& dy, int64_t A, const Grad& da, const Grad& db) {
  expect_device_f32(dy, "concat_vjp");
  if (da.wanted()) {
    copy_columns(ctx, dy, 0, da.t, 0, A, da.adds());
  }
  if (db.wanted()) {
    copy_columns(ctx, dy, A, db.t, 0, dy.dim(-1) - A, db.adds());
  }
}

}  // namespace sv::ops::device
