#include <algorithm>

#include "kernels/cpu/split.h"
#include "kernels/cpu/tree.h"
#include "kernels/math/row.h"
#include "kernels/ops/arguments.h"
#include "kernels/ops/linear_xent/linear_xent.h"
#include "kernels/ops/linear_xent/linear_xent_device.h"
#include "kernels/ops/matmul/matmul.h"

namespace sv::ops {

namespace {

/// Logits made at a time: 256 KiB of f32, which stay in L2 until they are used.
constexpr int64_t kLogits = 65536;
constexpr int64_t kLeastRows = 64;  // of a block, so that a product has rows enough

struct Dims {
  int64_t M, N, V, D;
  int64_t target_stride, weight_stride;  // elements between models, 0 = shared
  int64_t block() const {
    return std::clamp(kLogits / std::max<int64_t>(V, 1), kLeastRows, kLogits);
  }
};

Dims check(const Context& ctx, const LinearXentInputs& in, const Tensor& logz) {
  SV_CHECK(in.x.shape.rank() == 4, "linear_xent needs x (M, B, T, D), got ", in.x.shape);
  const int64_t M = in.x.dim(0), B = in.x.dim(1), T = in.x.dim(2), D = in.x.dim(3);
  const int64_t V = in.w.dim(1);
  SV_CHECK(V >= 1 && D >= 1, "linear_xent needs classes and a width, got w ", in.w.shape);
  expect_shape(in.w.shape, {M, V, D}, "w");
  if (in.bias) {
    expect_shape(in.bias.shape, {M, V}, "bias");
  }
  expect_shape(in.targets.shape, {in.targets.dim(0), B, T}, "targets");
  expect_shape(in.weight.shape, {in.weight.dim(0), B, T}, "weight");
  expect_shape(logz.shape, {M, B, T}, "logz");
  const Dims d{
      M, B * T, V, D, model_stride(in.targets, M, "targets"), model_stride(in.weight, M, "weight")};
  if (!ctx.device) {  // there they lie on the device, where kernels check them
    expect_classes(ctx, in.targets, V, "targets");
  }
  return d;
}

/// One model's part of the call: tensors of a pack of one.
struct Model {
  const Context& ctx;  // of the pack of one
  Dims d;
  Tensor x;        // (1, N, D)
  Tensor w, bias;  // (1, V, D), (1, V)
  const int32_t* targets;
  Panels panels;
  Tensor logits;  // (1, block, V) scratch

  /// Rows [begin, begin + rows) of a (1, N, width).
  static Tensor rows_of(const Tensor& t, int64_t begin, int64_t rows) {
    const Tensor part = t.reshape({t.dim(1), t.dim(2)}).slice(begin, rows);
    return part.reshape({1, rows, t.dim(2)});
  }
  /// Calls f(begin, rows, logits) for blocks of rows, the logits made.
  template <class F>
  void each_block(F&& f) const {
    for (int64_t begin = 0; begin < d.N; begin += d.block()) {
      const int64_t rows = std::min(d.block(), d.N - begin);
      const Tensor z = rows_of(logits, 0, rows);
      matmul(ctx, rows_of(x, begin, rows), w, bias, z, panels);
      f(begin, rows, z);
    }
  }
};

/// Calls f for each listed model; scratch is taken once, for all of them.
template <class F>
void each_model(const Context& ctx, const LinearXentInputs& in, const Dims& d, F&& f) {
  const ArenaScope scope(*ctx.arena);
  const DType type = in.x.dtype;
  const auto panel = [&](int64_t elements) { return make_tensor(*ctx.arena, {1, elements}, type); };
  const Panels panels{panel(panel_elements_y(type, d.V, d.D)),
                      panel(panel_elements_dx(type, d.V, d.D))};
  const Tensor logits = make_tensor(*ctx.arena, {1, std::min(d.block(), d.N), d.V}, type);
  const Context one{ctx.arena, ctx.threads, {}};
  for (int i = 0; i < ctx.model_count(in.x); ++i) {
    const int64_t m = ctx.model(i);
    const Tensor w = in.w.slice(m, 1);
    pack_panels(one, w, panels);
    f(m,
      Model{one,
            d,
            in.x.slice(m, 1).reshape({1, d.N, d.D}),
            w,
            in.bias ? in.bias.slice(m, 1) : Tensor{},
            in.targets.as<int32_t>() + m * d.target_stride,
            panels,
            logits});
  }
}

template <class T>
void forward(const Model& model, T* nll, T* logz) {
  const int64_t V = model.d.V;
  model.each_block([&](int64_t first, int64_t rows, const Tensor& logits) {
    T* z = logits.as<T>();
    cpu::for_each_row_block(model.ctx, 1, rows, V, [=](int, int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        T* row = z + r * V;
        const int32_t target = model.targets[first + r];
        const T hit = target < 0 ? T{0} : row[target], most = row::largest(row, V);
#pragma omp simd
        for (int64_t v = 0; v < V; ++v) {
          row[v] = point::exp_poly(row[v] - most);
        }
        const T total = most + point::log_poly(row::sum(row, V));
        logz[first + r] = total;
        nll[first + r] = target < 0 ? T{0} : total - hit;
      }
    });
  });
}

/// Makes each row of logits its gradient.
template <class T>
void differentiate(const Model& model,
                   const Tensor& logits,
                   int64_t first,
                   const T* weight,
                   const T* logz,
                   T dloss) {
  const int64_t V = model.d.V;
  T* z = logits.as<T>();
  cpu::for_each_row_block(model.ctx, 1, logits.dim(1), V, [=](int, int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      T* row = z + r * V;
      const int32_t target = model.targets[first + r];
      if (target < 0) {
        std::fill(row, row + V, T{0});  // also where a logit is NaN
        continue;
      }
      const T total = logz[first + r], factor = dloss * weight[first + r];
#pragma omp simd
      for (int64_t v = 0; v < V; ++v) {
        row[v] = point::exp_poly(row[v] - total);
      }
      row[target] -= T{1};
      for (int64_t v = 0; v < V; ++v) {
        row[v] *= factor;
      }
    }
  });
}

/// The gradient of model m, in the mode that the k-th block of rows needs.
Grad block_grad(const Grad& g, int64_t m, bool first) {
  if (!g.wanted()) {
    return {};
  }
  return {g.t.slice(m, 1), first ? g.mode : GradientMode::accumulate};
}

}  // namespace

void linear_xent(const Context& ctx,
                 const LinearXentInputs& in,
                 const Tensor& loss,
                 const Tensor& nll,
                 const Tensor& logz) {
  const Dims d = check(ctx, in, logz);
  expect_shape(loss.shape, {d.M}, "loss");
  expect_shape(nll.shape, logz.shape, "nll");
  if (ctx.device) {
    device::linear_xent(ctx, in, loss, nll, logz);
    return;
  }
  with_float(in.x.dtype, [&]<class T>() {
    each_model(ctx, in, d, [&](int64_t m, const Model& model) {
      T* rows = nll.as<T>() + m * d.N;
      forward(model, rows, logz.as<T>() + m * d.N);
      const T* w = in.weight.as<T>() + m * d.weight_stride;
      loss.as<T>()[m] = static_cast<T>(
          cpu::tree_sum(0, d.N, [=](int64_t n) { return static_cast<double>(w[n]) * rows[n]; }));
    });
  });
}

void linear_xent_vjp(const Context& ctx,
                     const LinearXentInputs& in,
                     const Tensor& logz,
                     const Tensor& dloss,
                     const Grad& dx,
                     const Grad& dw,
                     const Grad& dbias) {
  const Dims d = check(ctx, in, logz);
  expect_shape(dloss.shape, {d.M}, "dloss");
  expect_grad(dx, in.x.shape, "dx");
  expect_grad(dw, in.w.shape, "dw");
  expect_grad(dbias, {d.M, d.V}, "dbias");
  if (ctx.device) {
    device::linear_xent_vjp(ctx, in, logz, dloss, dx, dw, dbias);
    return;
  }
  with_float(in.x.dtype, [&]<class T>() {
    each_model(ctx, in, d, [&](int64_t m, const Model& model) {
      const T* w = in.weight.as<T>() + m * d.weight_stride;
      const T* totals = logz.as<T>() + m * d.N;
      model.each_block([&](int64_t first, int64_t rows, const Tensor& logits) {
        differentiate(model, logits, first, w, totals, dloss.as<T>()[m]);
        Grad to = block_grad(dx, m, true);
        if (to.wanted()) {
          to.t = Model::rows_of(to.t.reshape({1, d.N, d.D}), first, rows);
        }
        matmul_vjp(model.ctx,
                   Model::rows_of(model.x, first, rows),
                   model.w,
                   logits,
                   to,
                   block_grad(dw, m, first == 0),
                   block_grad(dbias, m, first == 0),
                   model.panels);
      });
    });
  });
}

}  // namespace sv::ops
