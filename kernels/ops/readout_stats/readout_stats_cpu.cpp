#include "kernels/cpu/split.h"
#include "kernels/math/row.h"
#include "kernels/ops/arguments.h"
#include "kernels/ops/readout_stats/readout_stats.h"
#include "kernels/ops/readout_stats/readout_stats_device.h"

namespace sv::ops {

namespace {

void check(const Tensor& logits, const Tensor& out) {
  SV_CHECK(
      logits.shape.rank() == 4, "readout statistics need logits (M, B, T, V), got ", logits.shape);
  const int64_t V = logits.dim(3);
  SV_CHECK(V >= 1 && V <= row::kBuffer, "1 to ", row::kBuffer, " classes, got ", V);
  expect_shape(out.shape, {logits.dim(0), logits.dim(1), logits.dim(2)}, "out");
}

/// Calls f(first, rows, at) for groups of rows that fit the buffer; `at` is the row number over all
/// models.
template <class F>
void each_group(const Context& ctx, const Tensor& logits, F&& f) {
  const int64_t V = logits.dim(3), N = rows_per_model(logits), group = row::kBuffer / V;
  cpu::for_each_row_block(
      ctx, ctx.model_count(logits), N, V, [=](int m, int64_t begin, int64_t end) {
        for (int64_t first = begin; first < end; first += group) {
          f(m * N + first, std::min(group, end - first));
        }
      });
}

template <class T>
int32_t first_largest(const T* x, int64_t V) {
  int32_t best = 0;
  for (int64_t v = 1; v < V; ++v) {
    best = x[v] > x[best] ? static_cast<int32_t>(v) : best;
  }
  return best;
}

/// sum_v e_v (x_v - most), e = exp(x - most): with the sum of e it gives the entropy.
template <class T>
T weighted_log(const T* e, const T* x, T most, int64_t V) {
  T total = T{0};
  for (int64_t v = 0; v < V; ++v) {
    total += e[v] * (x[v] - most);
  }
  return total;
}

}  // namespace

void argmax(const Context& ctx, const Tensor& logits, const Tensor& out) {
  check(logits, out);
  if (ctx.device) {
    device::argmax(ctx, logits, out);
    return;
  }
  const int64_t V = logits.dim(3);
  with_float(logits.dtype, [&]<class T>() {
    const T* x = logits.as<T>();
    int32_t* to = out.as<int32_t>();
    each_group(ctx, logits, [=](int64_t at, int64_t rows) {
      for (int64_t r = at; r < at + rows; ++r) {
        to[r] = first_largest(x + r * V, V);
      }
    });
  });
}

void confidence(const Context& ctx, const Tensor& logits, const Tensor& out) {
  check(logits, out);
  if (ctx.device) {
    device::confidence(ctx, logits, out);
    return;
  }
  const int64_t V = logits.dim(3);
  with_float(logits.dtype, [&]<class T>() {
    const T* x = logits.as<T>();
    T* to = out.as<T>();
    each_group(ctx, logits, [=](int64_t at, int64_t rows) {
      T e[row::kBuffer], most[row::kBuffer];
      row::exp_rows(x + at * V, rows, V, most, e);
      for (int64_t r = 0; r < rows; ++r) {
        to[at + r] = T{1} / row::sum(e + r * V, V);  // the largest logit's exponential is 1
      }
    });
  });
}

void entropy(const Context& ctx, const Tensor& logits, const Tensor& out) {
  check(logits, out);
  if (ctx.device) {
    device::entropy(ctx, logits, out);
    return;
  }
  const int64_t V = logits.dim(3);
  with_float(logits.dtype, [&]<class T>() {
    const T* x = logits.as<T>();
    T* to = out.as<T>();
    each_group(ctx, logits, [=](int64_t at, int64_t rows) {
      T e[row::kBuffer], most[row::kBuffer];
      row::exp_rows(x + at * V, rows, V, most, e);
      for (int64_t r = 0; r < rows; ++r) {
        const T sum = row::sum(e + r * V, V);
        to[at + r] =
            point::log_poly(sum) - weighted_log(e + r * V, x + (at + r) * V, most[r], V) / sum;
      }
    });
  });
}

void kl(const Context& ctx, const Tensor& logits_p, const Tensor& logits_q, const Tensor& out) {
  check(logits_p, out);
  expect_shape(logits_q.shape, logits_p.shape, "logits_q");
  if (ctx.device) {
    device::kl(ctx, logits_p, logits_q, out);
    return;
  }
  const int64_t V = logits_p.dim(3);
  with_float(logits_p.dtype, [&]<class T>() {
    const T *p = logits_p.as<T>(), *q = logits_q.as<T>();
    T* to = out.as<T>();
    each_group(ctx, logits_p, [=](int64_t at, int64_t rows) {
      T e_p[row::kBuffer], e_q[row::kBuffer], most_p[row::kBuffer], most_q[row::kBuffer];
      row::exp_rows(p + at * V, rows, V, most_p, e_p);
      row::exp_rows(q + at * V, rows, V, most_q, e_q);
      for (int64_t r = 0; r < rows; ++r) {
        const T *e = e_p + r * V, *x_p = p + (at + r) * V, *x_q = q + (at + r) * V;
        const T sum_p = row::sum(e, V), sum_q = row::sum(e_q + r * V, V);
        T total = T{0};
        for (int64_t v = 0; v < V; ++v) {
          total += e[v] * ((x_p[v] - most_p[r]) - (x_q[v] - most_q[r]));
        }
        const T divergence = total / sum_p + (point::log_poly(sum_q) - point::log_poly(sum_p));
        to[at + r] = divergence < T{0} ? T{0} : divergence;  // keeps NaN
      }
    });
  });
}

}  // namespace sv::ops
