// Kernels of adamw: one launch for all parameters of a pack. A block takes 1024 elements of one
// parameter of one model; which parameter follows from the table by a count over its first blocks.
// The floor is the traffic: 28 bytes an element, 36 with the average, and 4 for the norm; a table
// of a hundred parameters is read from L2.
#pragma once
#include <bit>

#include "kernels/ops/adamw/adamw_scalars.h"
#include "kernels/simt/live_models.h"
#include "kernels/simt/reduce.h"

namespace sv::ops {

inline constexpr int kAdamWThreads = 256;
inline constexpr int64_t kAdamWElements = 4 * kAdamWThreads;     // of a block
inline constexpr int64_t kSquaresElements = 64 * kAdamWThreads;  // of a block of the norm

/// The table's entry t such that first(t) <= block < first(t + 1), for first ascending from 0. The
/// whole warp calls it; entries without blocks are passed over.
template <class C, class F>
SV_DEVICE int entry_of(C& ctx, int count, int block, F&& first) {
  int before = 0;
  for (int t = 0; t < count; t += simt::kWarp) {
    const int i = t + ctx.lane();
    before += std::popcount(ctx.ballot(i < count && first(i) <= block));
  }
  return before - 1;
}

/// One parameter; pointers to model 0.
struct AdamWEntry {
  float* param;
  const float* grad;
  float* m;
  float* v;
  float* ema;    // or null
  int64_t size;  // of one model
  double weight_decay;
  int first;   // block of the launch
  int vector;  // 16 bytes at once
};
/// Of a listed model.
struct AdamWModel {
  double lr, grad_scale;
  double rate;  // lr / (1 - beta1^step)
};

struct AdamWUpdate {
  static constexpr const char* kName = "adamw_update";
  struct Args {
    const AdamWEntry* entries;
    const AdamWModel* scalars;  // (live)
    const double* squares;      // (M), or null: grad_scale
    double clip;
    AdamWConstants<float> constants;
    int count;
    LiveModels models;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const int64_t m = a.models.model(ctx.block_y());
    const AdamWEntry& e =
        a.entries[entry_of(ctx, a.count, ctx.block_x(), [&](int t) { return a.entries[t].first; })];
    const AdamWModel& s = a.scalars[ctx.block_y()];
    const double scale = a.squares ? clip_scale(a.squares[m], a.clip) : s.grad_scale;
    const AdamWRates<float> rates{static_cast<float>(1 - s.lr * e.weight_decay),
                                  static_cast<float>(scale),
                                  static_cast<float>(s.rate)};
    const int64_t first = (ctx.block_x() - e.first) * kAdamWElements;
    if (e.vector) {
      const int64_t at = first + 4 * ctx.thread();
      if (at < e.size) {
        four(a.constants, rates, e, m * e.size + at);
      }
      return;
    }
    for (int k = 0; k < 4; ++k) {
      const int64_t at = first + k * kAdamWThreads + ctx.thread();
      if (at < e.size) {
        one(a.constants, rates, e, m * e.size + at);
      }
    }
  }

 private:
  SV_DEVICE static void four(const AdamWConstants<float>& c,
                             const AdamWRates<float>& r,
                             const AdamWEntry& e,
                             int64_t at) {
    simt::Float4 param = simt::load4(e.param + at), m = simt::load4(e.m + at),
                 v = simt::load4(e.v + at);
    const simt::Float4 grad = simt::load4(e.grad + at);
    for (int k = 0; k < 4; ++k) {
      const AdamWElement<float> x =
          adamw_update<float>(c, r, {param.at[k], m.at[k], v.at[k]}, grad.at[k]);
      param.at[k] = x.param;
      m.at[k] = x.m;
      v.at[k] = x.v;
    }
    simt::store4(e.param + at, param);
    simt::store4(e.m + at, m);
    simt::store4(e.v + at, v);
    if (e.ema) {
      simt::Float4 ema = simt::load4(e.ema + at);
      for (int k = 0; k < 4; ++k) {
        ema.at[k] = c.decay * ema.at[k] + c.decay_rest * param.at[k];
      }
      simt::store4(e.ema + at, ema);
    }
  }
  SV_DEVICE static void one(const AdamWConstants<float>& c,
                            const AdamWRates<float>& r,
                            const AdamWEntry& e,
                            int64_t at) {
    const AdamWElement<float> x =
        adamw_update<float>(c, r, {e.param[at], e.m[at], e.v[at]}, e.grad[at]);
    e.param[at] = x.param;
    e.m[at] = x.m;
    e.v[at] = x.v;
    if (e.ema) {
      e.ema[at] = c.decay * e.ema[at] + c.decay_rest * x.param;
    }
  }
};

/// A gradient; pointer to model 0.
struct SquaresEntry {
  const float* grad;
  int64_t size;  // of one model
  int first;     // block of the launch
};

/// Stage 1 of the squared norm: partial (live, blocks).
struct GradSquares {
  static constexpr const char* kName = "grad_squares";
  struct Args {
    const SquaresEntry* entries;
    double* partial;
    int count;
    LiveModels models;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const SquaresEntry& e =
        a.entries[entry_of(ctx, a.count, ctx.block_x(), [&](int t) { return a.entries[t].first; })];
    const float* grad = e.grad + a.models.model(ctx.block_y()) * e.size;
    const int64_t first = (ctx.block_x() - e.first) * kSquaresElements;
    const int64_t end = first + kSquaresElements < e.size ? first + kSquaresElements : e.size;
    double sum = 0;
    for (int64_t i = first + ctx.thread(); i < end; i += kAdamWThreads) {
      const auto g = static_cast<double>(grad[i]);
      sum = sum + g * g;
    }
    sum = simt::block_reduce(ctx, sum, 0.0, 0, [](double x, double y) { return x + y; });
    if (ctx.thread() == 0) {
      a.partial[static_cast<int64_t>(ctx.block_y()) * ctx.grid_x() + ctx.block_x()] = sum;
    }
  }
};

/// Stage 2: a block per model.
struct GradSquaresTotals {
  static constexpr const char* kName = "grad_squares_totals";
  struct Args {
    const double* partial;  // (live, blocks)
    double* squares;        // (M)
    int64_t blocks;
    LiveModels models;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    double sum = 0;
    for (int64_t b = ctx.thread(); b < a.blocks; b += kAdamWThreads) {
      sum = sum + a.partial[ctx.block_x() * a.blocks + b];
    }
    sum = simt::block_reduce(ctx, sum, 0.0, 0, [](double x, double y) { return x + y; });
    if (ctx.thread() == 0) {
      a.squares[a.models.model(ctx.block_x())] = sum;
    }
  }
};

template <class Table>
void adamw_kernels(Table& t) {
  t.template add<AdamWUpdate>();
  t.template add<GradSquares>();
  t.template add<GradSquaresTotals>();
}

}  // namespace sv::ops
