// Sums over the rows of a model that become its loss: in double, in a fixed order of two stages,
// rounded to float once.
//
// Stage 1 (LossPartials, in the op's own kernels): a block adds kLossRows rows, thread t those at
// t, t + 256, ...; where one block holds all rows it writes the loss, and there is no stage 2.
#pragma once
#include <cstdint>

#include "kernels/simt/live_models.h"
#include "kernels/simt/reduce.h"

namespace sv::ops {

inline constexpr int kLossThreads = 256;
inline constexpr int64_t kLossRows = 64 * kLossThreads;

/// Sum of all threads' x; every thread has it.
template <class C>
SV_DEVICE double loss_total(C& ctx, double x) {
  return simt::block_reduce(ctx, x, 0.0, 0, [](double a, double b) { return a + b; });
}

/// F has kName, Args and term(args, m, n): the term of row n of model m, in double.
template <class F>
struct LossPartials {
  static constexpr const char* kName = F::kName;
  using Terms = typename F::Args;
  struct Args {
    Terms terms;
    float* loss;      // (M)
    double* partial;  // (live, blocks), not read where there is one block
    int64_t rows;     // of a model
    LiveModels models;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const int64_t m = a.models.model(ctx.block_y());
    const int64_t first = ctx.block_x() * kLossRows;
    const int64_t end = first + kLossRows < a.rows ? first + kLossRows : a.rows;
    double sum = 0;
    for (int64_t n = first + ctx.thread(); n < end; n += kLossThreads) {
      sum = sum + F::term(a.terms, m, n);
    }
    sum = loss_total(ctx, sum);
    if (ctx.thread() != 0) {
      return;
    }
    if (ctx.grid_x() == 1) {
      a.loss[m] = static_cast<float>(sum);
    } else {
      a.partial[static_cast<int64_t>(ctx.block_y()) * ctx.grid_x() + ctx.block_x()] = sum;
    }
  }
};

/// Stage 2: a block per model.
struct LossTotals {
  static constexpr const char* kName = "loss_totals";
  struct Args {
    const double* partial;  // (live, blocks)
    float* loss;            // (M)
    int64_t blocks;
    LiveModels models;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    double sum = 0;
    for (int64_t b = ctx.thread(); b < a.blocks; b += kLossThreads) {
      sum = sum + a.partial[ctx.block_x() * a.blocks + b];
    }
    sum = loss_total(ctx, sum);
    if (ctx.thread() == 0) {
      a.loss[a.models.model(ctx.block_x())] = static_cast<float>(sum);
    }
  }
};

/// loss = sum_n weight nll, of a cross-entropy.
struct WeightedNll {
  static constexpr const char* kName = "weighted_nll";
  struct Args {
    const float* nll;     // (M, N)
    const float* weight;  // (1|M, N)
    int64_t N, weight_stride;
  };
  SV_DEVICE static double term(const Args& a, int64_t m, int64_t n) {
    return static_cast<double>(a.weight[m * a.weight_stride + n]) *
           static_cast<double>(a.nll[m * a.N + n]);
  }
};

template <class Table>
void loss_sums_kernels(Table& t) {
  t.template add<LossPartials<WeightedNll>>();
  t.template add<LossTotals>();
}

}  // namespace sv::ops
