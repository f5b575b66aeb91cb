#include "kernels/cpu/split.h"
#include "kernels/cpu/tree.h"
#include "kernels/math/row.h"
#include "kernels/ops/arguments.h"
#include "kernels/ops/softmax_xent/softmax_xent.h"
#include "kernels/ops/softmax_xent/softmax_xent_device.h"

namespace sv::ops {

namespace {

struct Dims {
  int64_t M, N, V;
  int live;
  const int32_t* targets;
  int64_t target_stride, weight_stride;  // elements between models, 0 = shared
  int64_t rows;                          // rows worked on at a time
  int32_t target(int64_t m, int64_t n) const { return targets[m * target_stride + n]; }
};

Dims check(const Context& ctx,
           const Tensor& logits,
           const Tensor& targets,
           const Tensor& weight,
           const Tensor& logz) {
  SV_CHECK(logits.shape.rank() == 4, "softmax_xent needs logits (M, B, T, V), got ", logits.shape);
  const int64_t M = logits.dim(0), B = logits.dim(1), T = logits.dim(2), V = logits.dim(3);
  SV_CHECK(
      V >= 1 && V <= row::kBuffer, "softmax_xent takes 1 to ", row::kBuffer, " classes, got ", V);
  expect_shape(logz.shape, {M, B, T}, "logz");
  expect_shape(targets.shape, {targets.dim(0), B, T}, "targets");
  expect_shape(weight.shape, {weight.dim(0), B, T}, "weight");
  SV_CHECK(weight.dtype == logits.dtype,
           "weight is ",
           dtype_name(weight.dtype),
           ", logits ",
           dtype_name(logits.dtype));
  const Dims d{M,
               B * T,
               V,
               ctx.model_count(logits),
               targets.as<int32_t>(),
               model_stride(targets, M, "targets"),
               model_stride(weight, M, "weight"),
               row::kBuffer / V};
  if (!ctx.device) {  // otherwise the targets lie there, where a kernel checks them
    expect_classes(ctx, targets, V, "targets");
  }
  return d;
}

/// nll and logz of the rows [begin, end) of model m.
template <class T>
void forward_rows(
    const Dims& d, const T* logits, int64_t m, int64_t begin, int64_t end, T* nll, T* logz) {
  T e[row::kBuffer], most[row::kBuffer];
  for (int64_t first = begin; first < end; first += d.rows) {
    const int64_t rows = std::min(d.rows, end - first), at = m * d.N + first;
    row::exp_rows(logits + at * d.V, rows, d.V, most, e);
    for (int64_t r = 0; r < rows; ++r) {
      e[r] =
          row::sum(e + r * d.V,
                   d.V);  // row r's sum lands before row r + 1's first element, or on it when V = 1
    }
#pragma omp simd
    for (int64_t r = 0; r < rows; ++r) {
      logz[at + r] = most[r] + point::log_poly(e[r]);
    }
    for (int64_t r = 0; r < rows; ++r) {
      const int32_t target = d.target(m, first + r);
      nll[at + r] = target < 0 ? T{0} : logz[at + r] - logits[(at + r) * d.V + target];
    }
  }
}

template <class T>
void forward(
    const Context& ctx, const Dims& d, const T* logits, const T* weight, T* loss, T* nll, T* logz) {
  cpu::for_each_row_block(ctx, d.live, d.N, d.V, [=](int m, int64_t begin, int64_t end) {
    forward_rows(d, logits, m, begin, end, nll, logz);
  });
  for (int i = 0; i < d.live; ++i) {
    const int64_t m = ctx.model(i);
    const T *w = weight + m * d.weight_stride, *rows = nll + m * d.N;
    loss[m] = static_cast<T>(
        cpu::tree_sum(0, d.N, [=](int64_t n) { return static_cast<double>(w[n]) * rows[n]; }));
  }
}

/// dlogits of the rows [begin, end) of model m.
template <class T>
void backward_rows(const Dims& d,
                   const T* logits,
                   const T* weight,
                   const T* logz,
                   T dloss,
                   int64_t m,
                   int64_t begin,
                   int64_t end,
                   T* dlogits,
                   bool adds) {
  T p[row::kBuffer];
  for (int64_t first = begin; first < end; first += d.rows) {
    const int64_t rows = std::min(d.rows, end - first), at = m * d.N + first;
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t v = 0; v < d.V; ++v) {
        p[r * d.V + v] = logits[(at + r) * d.V + v] - logz[at + r];
      }
    }
#pragma omp simd
    for (int64_t i = 0; i < rows * d.V; ++i) {
      p[i] = point::exp_poly(p[i]);
    }
    for (int64_t r = 0; r < rows; ++r) {
      const int32_t target = d.target(m, first + r);
      const T factor = target < 0 ? T{0} : dloss * weight[m * d.weight_stride + first + r];
      T* to = dlogits + (at + r) * d.V;
      T* row = p + r * d.V;
      if (target < 0) {
        std::fill(row,
                  row + d.V,
                  T{0});  // not 0 * p: a row without target has no gradient even where p is NaN
      } else {
        row[target] -= T{1};
      }
      for (int64_t v = 0; v < d.V; ++v) {
        to[v] = adds ? to[v] + factor * row[v] : factor * row[v];
      }
    }
  }
}

}  // namespace

void softmax_xent(const Context& ctx,
                  const Tensor& logits,
                  const Tensor& targets,
                  const Tensor& weight,
                  const Tensor& loss,
                  const Tensor& nll,
                  const Tensor& logz) {
  const Dims d = check(ctx, logits, targets, weight, logz);
  expect_shape(loss.shape, {d.M}, "loss");
  expect_shape(nll.shape, logz.shape, "nll");
  if (ctx.device) {
    device::softmax_xent(ctx, logits, targets, weight, loss, nll, logz);
    return;
  }
  with_float(logits.dtype, [&]<class T>() {
    forward(ctx, d, logits.as<T>(), weight.as<T>(), loss.as<T>(), nll.as<T>(), logz.as<T>());
  });
}

void softmax_xent_vjp(const Context& ctx,
                      const Tensor& logits,
                      const Tensor& targets,
                      const Tensor& weight,
                      const Tensor& logz,
                      const Tensor& dloss,
                      const Grad& dlogits) {
  const Dims d = check(ctx, logits, targets, weight, logz);
  expect_shape(dloss.shape, {d.M}, "dloss");
  expect_grad(dlogits, logits.shape, "dlogits");
  if (!dlogits.wanted()) {
    return;
  }
  if (ctx.device) {
    device::softmax_xent_vjp(ctx, logits, targets, weight, logz, dloss, dlogits);
    return;
  }
  with_float(logits.dtype, [&]<class T>() {
    const T *x = logits.as<T>(), *w = weight.as<T>(), *z = logz.as<T>(), *scale = dloss.as<T>();
    T* to = dlogits.t.as<T>();
    const bool adds = dlogits.adds();
    cpu::for_each_row_block(ctx, d.live, d.N, d.V, [=](int m, int64_t begin, int64_t end) {
      backward_rows(d, x, w, z, scale[m], m, begin, end, to, adds);
    });
  });
}

}  // namespace sv::ops
