#include "models/edit.h"

#include "kernels/memory/copy.h"
#include "kernels/ops/compact/compact.h"
#include "kernels/ops/elementwise/elementwise.h"
#include "kernels/ops/matmul/matmul.h"

namespace sv {

SiteLayout site_layout(const Shape& s) {
  const int rank = s.rank();
  const int t_axis = rank == 5 ? 3 : rank >= 3 ? 2 : -1;
  SiteLayout l{s[0], s[1], rank == 5 ? s[2] : 1, t_axis < 0 ? 1 : s[t_axis], 1, t_axis >= 0};
  l.width = s.numel() / (l.models * l.rows());
  return l;
}

namespace {

/// Calls f(m, row of the model, v) for each row that the edit writes.
template <class F>
void for_each_edited(const Edit& edit,
                     const Site& site,
                     const Select& select,
                     std::span<const int> models,
                     const Tensor& x,
                     F&& f) {
  SV_CHECK(x.shape.rank() == 4,
           "an edit acts on (M, B, T, W); the site ",
           point_name(site.point),
           " is ",
           x.shape);
  const int64_t T = x.dim(2), W = x.dim(3), rows = x.dim(1) * T;
  std::vector<double> v(static_cast<size_t>(W));
  for_each_selected(x, select, models, [&](int64_t offset, int64_t count) {
    for (int64_t i = offset / W; i < (offset + count) / W; ++i) {
      const int64_t m = i / rows, row = i % rows;
      if (edit.value({site, x, m, row / T, row % T}, v)) {
        f(m, row, std::span<const double>(v));
      }
    }
  });
}

/// x += Q^T Q (v - x), axis after axis.
template <class T>
void move_within(std::span<const double> axes, std::span<const double> v, T* x) {
  for (size_t k = 0; k < axes.size(); k += v.size()) {
    double dot = 0;
    for (size_t d = 0; d < v.size(); ++d) {
      dot += (v[d] - static_cast<double>(x[d])) * axes[k + d];
    }
    for (size_t d = 0; d < v.size(); ++d) {
      x[d] = static_cast<T>(static_cast<double>(x[d]) + dot * axes[k + d]);
    }
  }
}

template <class T>
void write_row(const Edit& edit, std::span<const double> v, T* x) {
  switch (edit.kind) {
    case Edit::Kind::replace:
      std::transform(v.begin(), v.end(), x, [](double value) { return static_cast<T>(value); });
      break;
    case Edit::Kind::add:
      for (size_t d = 0; d < v.size(); ++d) {
        x[d] += static_cast<T>(v[d]);
      }
      break;
    case Edit::Kind::within:
      move_within(edit.axes, v, x);
      break;
  }
}

/// Rows of a device's tensor (M, N, W): a list for gather_live and scatter_live, and their values.
struct DeviceRows {
  Tensor list;    // i32 (M, most), -1 behind the rows of a model; `most` of any model
  Tensor values;  // (M, most, W), zeros behind them
};

/// `rows` and `values` of each model, to the device.
DeviceRows to_device(const Context& ctx,
                     const std::vector<std::vector<int32_t>>& rows,
                     const std::vector<std::vector<float>>& values,
                     int64_t W) {
  const auto M = static_cast<int64_t>(rows.size());
  int64_t most = 0;
  for (const auto& mine : rows) {
    most = std::max(most, static_cast<int64_t>(mine.size()));
  }
  const Tensor list = host_tensor(ctx, {M, most}, DType::i32);
  const Tensor all = host_tensor(ctx, {M, most, W}, DType::f32);
  std::fill_n(list.as<int32_t>(), list.numel(), -1);
  all.zero();
  for (int64_t m = 0; m < M; ++m) {
    const auto i = static_cast<size_t>(m);
    std::copy(rows[i].begin(), rows[i].end(), list.as<int32_t>() + m * most);
    std::copy(values[i].begin(), values[i].end(), all.slice(m, 1).as<float>());
  }
  return {sv::to_device(ctx, list), sv::to_device(ctx, all)};
}

/// The axes of each of M models: (M, k, W), or transposed (M, W, k).
Tensor axes_on(const Context& ctx, std::span<const double> axes, int64_t M, int64_t W, bool turn) {
  const int64_t k = static_cast<int64_t>(axes.size()) / W;
  const Tensor q = host_tensor(ctx, turn ? Shape{M, W, k} : Shape{M, k, W}, DType::f32);
  for (int64_t i = 0; i < M * k * W; ++i) {
    const int64_t axis = i / W % k, d = i % W;
    const int64_t to = turn ? d * k + axis : axis * W + d;
    q.as<float>()[i / (k * W) * k * W + to] =
        static_cast<float>(axes[static_cast<size_t>(axis * W + d)]);
  }
  return sv::to_device(ctx, q);
}

/// old + Q^T Q (v - old) of rows (M, rows, W).
Tensor moved_within(Context ctx, std::span<const double> axes, const Tensor& v, const Tensor& old) {
  ctx.precision = Precision::f32;
  const int64_t M = v.dim(0), W = v.dim(2), k = static_cast<int64_t>(axes.size()) / W;
  const Tensor away = make_tensor(*ctx.arena, v.shape, v.dtype);
  const Tensor dots = make_tensor(*ctx.arena, v.shape.with(2, k), v.dtype);
  const Tensor out = make_tensor(*ctx.arena, v.shape, v.dtype);
  ops::mix(ctx, v, 1, old, -1, away);
  ops::matmul(ctx, away, axes_on(ctx, axes, M, W, false), {}, dots);
  ops::matmul(ctx, dots, axes_on(ctx, axes, M, W, true), {}, away);
  ops::add(ctx, old, away, out);
  return out;
}

void apply_on_device(
    const Context& ctx, const Edit& edit, const Site& site, const Select& select, const Tensor& x) {
  const MemoryScope scope(ctx);
  const int64_t M = x.dim(0), N = x.dim(1) * x.dim(2), W = x.dim(3);
  std::vector<std::vector<int32_t>> rows(static_cast<size_t>(M));
  std::vector<std::vector<float>> values(rows.size());
  for_each_edited(
      edit, site, select, ctx.models, x, [&](int64_t m, int64_t row, std::span<const double> v) {
        const auto i = static_cast<size_t>(m);
        rows[i].push_back(static_cast<int32_t>(row));
        std::transform(v.begin(), v.end(), std::back_inserter(values[i]), [](double value) {
          return static_cast<float>(value);
        });
      });
  const DeviceRows d = to_device(ctx, rows, values, W);
  if (d.values.numel() == 0) {
    return;
  }
  const Tensor all = x.reshape({M, N, W});
  Tensor written = d.values;
  if (edit.kind != Edit::Kind::replace) {
    const Tensor old = copy_of(ctx, d.values);  // and not garbage behind a model's rows
    ops::gather_live(ctx, all, d.list, old);
    if (edit.kind == Edit::Kind::add) {
      written = make_tensor(*ctx.arena, old.shape, old.dtype);
      ops::add(ctx, old, d.values, written);
    } else {
      written = moved_within(ctx, edit.axes, d.values, old);
    }
  }
  ops::scatter_live(ctx, written, d.list, all);
}

}  // namespace

void apply_edit(
    const Context& ctx, const Edit& edit, const Site& site, const Select& select, const Tensor& x) {
  if (ctx.device) {
    apply_on_device(ctx, edit, site, select, x);
    return;
  }
  const int64_t rows = x.dim(1) * x.dim(2), W = x.dim(3);
  with_float(x.dtype, [&]<class T>() {
    for_each_edited(
        edit, site, select, ctx.models, x, [&](int64_t m, int64_t row, std::span<const double> v) {
          write_row(edit, v, x.as<T>() + (m * rows + row) * W);
        });
  });
}

void zero_selected(const Context& ctx, const Select& select, const Tensor& x) {
  if (!ctx.device) {
    const size_t size = dtype_size(x.dtype);
    for_each_selected(x, select, ctx.models, [&](int64_t offset, int64_t count) {
      std::memset(static_cast<std::byte*>(x.data) + static_cast<size_t>(offset) * size,
                  0,
                  static_cast<size_t>(count) * size);
    });
    return;
  }
  const MemoryScope scope(ctx);
  const SiteLayout l = site_layout(x.shape);
  std::vector<std::vector<int32_t>> rows(static_cast<size_t>(l.models));
  for_each_selected(x, select, ctx.models, [&](int64_t offset, int64_t count) {
    for (int64_t i = offset / l.width; i < (offset + count) / l.width; ++i) {
      rows[static_cast<size_t>(i / l.rows())].push_back(static_cast<int32_t>(i % l.rows()));
    }
  });
  const std::vector<std::vector<float>> zeros(rows.size());
  const DeviceRows d = to_device(ctx, rows, zeros, l.width);
  if (d.values.numel() > 0) {
    ops::scatter_live(ctx, d.values, d.list, x.reshape({l.models, l.rows(), l.width}));
  }
}

}  // namespace sv
