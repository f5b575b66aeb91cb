#include "kernels/cpu/split.h"
#include "kernels/math/row.h"
#include "kernels/ops/arguments.h"
#include "kernels/ops/nll/nll.h"

namespace sv::ops {

namespace {

struct Dims {
  int64_t N, V;
  int live;
  const int32_t* targets;
  int64_t target_stride;  // elements between models, 0 = shared
  int64_t rows;           // rows worked on at a time
  int32_t target(int64_t m, int64_t n) const { return targets[m * target_stride + n]; }
};

Dims check(const Context& ctx, const Tensor& logits, const Tensor& targets, const Tensor& logz) {
  expect_host(ctx, "nll");
  SV_CHECK(logits.shape.rank() == 4, "nll needs logits (M, B, T, V), got ", logits.shape);
  const int64_t M = logits.dim(0), B = logits.dim(1), T = logits.dim(2), V = logits.dim(3);
  SV_CHECK(V >= 1 && V <= row::kBuffer, "nll takes 1 to ", row::kBuffer, " classes, got ", V);
  expect_shape(logz.shape, {M, B, T}, "logz");
  expect_shape(targets.shape, {targets.dim(0), B, T}, "targets");
  const int64_t stride = model_stride(targets, M, "targets");
  expect_classes(ctx, targets, V, "targets");
  return {B * T, V, ctx.model_count(logits), targets.as<int32_t>(), stride, row::kBuffer / V};
}

// A rule turns `rows` rows of V logits (x, in double) into scores s in place and says where row r's
// log s starts from; log_score(x) is log s of one logit on that scale.

struct Softmax {
  static void scores(int64_t rows, int64_t V, double* x, double* start) {
    for (int64_t r = 0; r < rows; ++r) {
      start[r] = row::largest(x + r * V, V);
      for (int64_t v = 0; v < V; ++v) {
        x[r * V + v] -= start[r];
      }
    }
#pragma omp simd
    for (int64_t i = 0; i < rows * V; ++i) {
      x[i] = point::exp_poly(x[i]);
    }
  }
  static double log_score(double x) {
    return x;
  }
  /// d logz / dx.
  static double pull(double x, double logz) {
    return point::exp_poly(x - logz);
  }
  /// d log s / dx.
  static double own(double) {
    return 1;
  }
};

struct Stablemax {
  static double score(double x) { return x < 0 ? 1 / (1 - x) : x + 1; }  // this order keeps NaN
  static void scores(int64_t rows, int64_t V, double* x, double* start) {
    std::fill(start, start + rows, 0.0);
#pragma omp simd
    for (int64_t i = 0; i < rows * V; ++i) {
      x[i] = score(x[i]);
    }
  }
  static double log_score(double x) {
    return point::log_poly(score(x));
  }
  static double pull(double x, double logz) {
    const double slope = x < 0 ? 1 / ((1 - x) * (1 - x)) : 1;
    return slope * point::exp_poly(-logz);
  }
  static double own(double x) {
    return 1 / (1 + std::abs(x));
  }
};

/// Calls f(rule) with the rule of the kind.
template <class F>
void with_rule(LossKind kind, F&& f) {
  switch (kind) {
    case LossKind::softmax:
      return f(Softmax{});
    case LossKind::stablemax:
      return f(Stablemax{});
  }
  fail("no loss number ", static_cast<int>(kind));
}

/// nll and logz of the rows [begin, end) of model m.
template <class Rule, class T>
void forward_rows(
    const Dims& d, const T* logits, int64_t m, int64_t begin, int64_t end, T* nll, double* logz) {
  double s[row::kBuffer], start[row::kBuffer];
  for (int64_t first = begin; first < end; first += d.rows) {
    const int64_t rows = std::min(d.rows, end - first), at = m * d.N + first;
    const T* x = logits + at * d.V;
    std::copy(x, x + rows * d.V, s);
    Rule::scores(rows, d.V, s, start);
    for (int64_t r = 0; r < rows; ++r) {
      const double z = start[r] + point::log_poly(row::sum(s + r * d.V, d.V));
      const int32_t target = d.target(m, first + r);
      logz[at + r] = z;
      nll[at + r] =
          target < 0
              ? T{0}
              : static_cast<T>(z - Rule::log_score(static_cast<double>(x[r * d.V + target])));
    }
  }
}

/// dlogits of row n of model m.
template <class Rule, class T>
void backward_row(const Dims& d,
                  const T* logits,
                  int32_t target,
                  double logz,
                  double dnll,
                  T* dlogits,
                  bool adds) {
  if (target < 0) {  // not 0 * pull: a row without target has no gradient even where it holds NaN
    for (int64_t v = 0; v < d.V && !adds; ++v) {
      dlogits[v] = T{0};
    }
    return;
  }
  double pull[row::kBuffer];
#pragma omp simd
  for (int64_t v = 0; v < d.V; ++v) {
    pull[v] = Rule::pull(static_cast<double>(logits[v]), logz);
  }
  pull[target] -= Rule::own(static_cast<double>(logits[target]));
  for (int64_t v = 0; v < d.V; ++v) {
    const T x = static_cast<T>(dnll * pull[v]);
    dlogits[v] = adds ? dlogits[v] + x : x;
  }
}

}  // namespace

void nll(const Context& ctx,
         LossKind kind,
         const Tensor& logits,
         const Tensor& targets,
         const Tensor& nll,
         const Tensor& logz) {
  const Dims d = check(ctx, logits, targets, logz);
  expect_shape(nll.shape, logz.shape, "nll");
  with_float(logits.dtype, [&]<class T>() {
    const T* x = logits.as<T>();
    T* loss = nll.as<T>();
    double* z = logz.as<double>();
    with_rule(kind, [&]<class Rule>(Rule) {
      cpu::for_each_row_block(ctx, d.live, d.N, d.V, [=](int m, int64_t begin, int64_t end) {
        forward_rows<Rule>(d, x, m, begin, end, loss, z);
      });
    });
  });
}

void nll_vjp(const Context& ctx,
             LossKind kind,
             const Tensor& logits,
             const Tensor& targets,
             const Tensor& logz,
             const Tensor& dnll,
             const Grad& dlogits) {
  const Dims d = check(ctx, logits, targets, logz);
  expect_shape(dnll.shape, logz.shape, "dnll");
  expect_grad(dlogits, logits.shape, "dlogits");
  if (!dlogits.wanted()) {
    return;
  }
  with_float(logits.dtype, [&]<class T>() {
    const T *x = logits.as<T>(), *grad = dnll.as<T>();
    const double* z = logz.as<double>();
    T* to = dlogits.t.as<T>();
    const bool adds = dlogits.adds();
    with_rule(kind, [&]<class Rule>(Rule) {
      cpu::for_each_row_block(ctx, d.live, d.N, d.V, [=](int m, int64_t begin, int64_t end) {
        for (int64_t n = begin; n < end; ++n) {
          const int64_t at = m * d.N + n;
          backward_row<Rule>(d,
                             x + at * d.V,
                             d.target(m, n),
                             z[at],
                             static_cast<double>(grad[at]),
                             to + at * d.V,
                             adds);
        }
      });
    });
  });
}

}  // namespace sv::ops
