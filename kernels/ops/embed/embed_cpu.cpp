#include "kernels/cpu/write.h"
#include "kernels/ops/arguments.h"
#include "kernels/ops/embed/embed.h"
#include "kernels/ops/embed/embed_device.h"

namespace sv::ops {

namespace {

/// Slices of the vocabulary that a model's table gradient is cut into; each is summed by one
/// thread.
constexpr int64_t kSlices = 8;

struct Ids {
  const int32_t* data;
  int64_t model;  // elements between models, 0 = shared
  int64_t wrap;   // ids per model: T when shared over the batch, else B T
  int32_t at(int64_t m, int64_t n) const { return data[m * model + (n < wrap ? n : n % wrap)]; }
};

Ids check(const Context& ctx, const Tensor& ids, const Tensor& y, int64_t V) {
  SV_CHECK(y.shape.rank() == 4, "embed needs (M, B, T, D), got ", y.shape);
  SV_CHECK(ids.shape.rank() == 3, "ids must be (1|M, 1|B, T), got ", ids.shape);
  const int64_t M = y.dim(0), B = y.dim(1), T = y.dim(2);
  SV_CHECK(
      ids.dim(1) == 1 || ids.dim(1) == B, "ids has shape ", ids.shape, ", axis 1 must be 1 or ", B);
  SV_CHECK_EQ(ids.dim(2), T, "positions of ids");
  const Ids view{ids.as<int32_t>(), model_stride(ids, M, "ids"), ids.dim(1) * T};
  if (ctx.device) {
    return view;  // the kernels look at the values
  }
  const int live = view.model == 0 ? 1 : ctx.model_count(y);
  for (int i = 0; i < live; ++i) {
    const int m = view.model == 0 ? 0 : ctx.model(i);
    for (int64_t n = 0; n < view.wrap; ++n) {
      const int32_t id = view.at(m, n);
      SV_CHECK(id >= 0 && id < V,
               "ids[",
               m,
               ", ",
               n / T,
               ", ",
               n % T,
               "] = ",
               id,
               ", the table has ",
               V,
               " rows");
    }
  }
  return view;
}

}  // namespace

void embed(const Context& ctx, const Tensor& ids, const Tensor& table, const Tensor& y) {
  SV_CHECK(table.shape.rank() == 3, "table must be (M, V, D), got ", table.shape);
  const Ids view = check(ctx, ids, y, table.dim(1));
  expect_shape(table.shape, {y.dim(0), table.dim(1), y.dim(-1)}, "table");
  if (ctx.device) {
    device::embed(ctx, ids, table, y);
    return;
  }
  const int64_t N = y.dim(1) * y.dim(2), V = table.dim(1), D = y.dim(3);
  with_float(y.dtype, [&]<class T>() {
    const T* from = table.as<T>();
    T* to = y.as<T>();
    cpu::for_each_row_block(ctx, ctx.model_count(y), N, D, [=](int m, int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        const T* row = from + (m * V + view.at(m, n)) * D;
        cpu::write_row(to + (m * N + n) * D, D, false, [=](int64_t i) { return row[i]; });
      }
    });
  });
}

void embed_vjp(const Context& ctx, const Tensor& ids, const Tensor& dy, const Grad& dtable) {
  if (!dtable.wanted()) {
    return;
  }
  SV_CHECK(dtable.t.shape.rank() == 3, "dtable must be (M, V, D), got ", dtable.t.shape);
  const Ids view = check(ctx, ids, dy, dtable.t.dim(1));
  expect_grad(dtable, {dy.dim(0), dtable.t.dim(1), dy.dim(-1)}, "dtable");
  if (ctx.device) {
    device::embed_vjp(ctx, ids, dy, dtable);
    return;
  }
  const int64_t N = dy.dim(1) * dy.dim(2), V = dtable.t.dim(1), D = dy.dim(3);
  const int live = ctx.model_count(dy);
  with_float(dy.dtype, [&]<class T>() {
    const T* from = dy.as<T>();
    T* to = dtable.t.as<T>();
    const bool adds = dtable.adds();
    const Context& c = ctx;
    cpu::for_each_item(ctx, live * kSlices, live * N * D, [=, &c](int64_t item) {
      const int64_t m = c.model(static_cast<int>(item / kSlices));
      const int64_t first = item % kSlices * V / kSlices, last = (item % kSlices + 1) * V / kSlices;
      if (!adds) {
        std::fill(to + (m * V + first) * D, to + (m * V + last) * D, T{0});
      }
      for (int64_t n = 0; n < N; ++n) {
        const int64_t id = view.at(m, n);
        if (id >= first && id < last) {
          const T* row = from + (m * N + n) * D;
          cpu::write_row(to + (m * V + id) * D, D, true, [=](int64_t i) { return row[i]; });
        }
      }
    });
  });
}

}  // namespace sv::ops
