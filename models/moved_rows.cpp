#include "models/moved_rows.h"

#include <algorithm>

#include "kernels/memory/copy.h"
#include "kernels/ops/compact/compact.h"

namespace sv::moved {

Context whole(const Context& ctx) {
  Context out = ctx;
  out.models = {};
  return out;
}

Context on_host(const Context& ctx) {
  Context out = whole(ctx);
  out.arena = &ctx.host();
  out.device = nullptr;
  return out;
}

size_t longest(const Lists& lists) {
  size_t out = 0;
  for (const auto& list : lists) {
    out = std::max(out, list.size());
  }
  return out;
}

Tensor tensor_of(const Context& ctx, const Lists& lists, int filler) {
  const size_t count = longest(lists);
  const Shape shape{static_cast<int64_t>(lists.size()), static_cast<int64_t>(count)};
  const Tensor out = host_tensor(ctx, shape, DType::i32);
  std::fill_n(out.as<int32_t>(), out.numel(), filler);
  for (size_t m = 0; m < lists.size(); ++m) {
    std::copy(lists[m].begin(), lists[m].end(), out.as<int32_t>() + m * count);
  }
  return out;
}

Tensor gathered(const Context& ctx, const Tensor& x, const Tensor& rows) {
  if (!x) {
    return {};
  }
  const int64_t models = rows.dim(0);
  const Shape shape = x.shape.with(0, models).with(1, rows.dim(1));
  const Tensor y = make_tensor(*ctx.arena, shape, x.dtype);
  if (x.dim(0) == models) {
    ops::gather_live(ctx, x, rows, y);
    return y;
  }
  for (int64_t m = 0; m < models; ++m) {
    ops::gather_live(ctx, x, rows.slice(m, 1), y.slice(m, 1));
  }
  return y;
}

void scatter(const Context& ctx, const Tensor& y, const Tensor& places, const Tensor& x) {
  if (x) {
    ops::scatter_live(ctx, y, places, x);
  }
}

void compact(const Context& ctx, Tensor& x, const Tensor& rows) {
  if (!x) {
    return;
  }
  const Tensor before = x;
  const int64_t models = rows.dim(0), count = rows.dim(1), from = x.dim(1);
  x.shape = x.shape.with(1, count);
  if (ctx.device) {
    const MemoryScope scope(ctx);
    const Tensor kept = gathered(ctx, before, to_device(ctx, rows));
    copy_tensor(ctx, x, kept);
    return;
  }
  // In place: no copy lands on a row that is still to be read.
  const size_t bytes = x.bytes() / static_cast<size_t>(models * count);
  auto* data = static_cast<std::byte*>(x.data);
  for (int64_t i = 0; i < models * count; ++i) {
    const int64_t source = i / count * from + rows.as<int32_t>()[i];
    std::memmove(
        data + static_cast<size_t>(i) * bytes, data + static_cast<size_t>(source) * bytes, bytes);
  }
}

}  // namespace sv::moved
