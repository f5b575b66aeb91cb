// Kernels of sigmoid_xent: one number per row, so the launches are the whole cost.
#pragma once
#include "kernels/math/point.h"
#include "kernels/ops/loss_sums_body.h"

namespace sv::ops {

/// What both directions read.
struct BinaryRows {
  const float* logit;   // (M, B)
  const float* target;  // (1|M, B)
  const float* weight;  // (1|M, B)
  int64_t B, target_stride, weight_stride;
};

struct SigmoidXentTerms {
  static constexpr const char* kName = "sigmoid_xent_forward";
  using Args = BinaryRows;
  SV_DEVICE static double term(const Args& a, int64_t m, int64_t b) {
    const float x = a.logit[m * a.B + b];
    const float loss = point::softplus(x) - a.target[m * a.target_stride + b] * x;
    return static_cast<double>(a.weight[m * a.weight_stride + b]) * static_cast<double>(loss);
  }
};

struct SigmoidXentDx {
  static constexpr const char* kName = "sigmoid_xent_dx";
  struct Args {
    BinaryRows rows;
    const float* dloss;  // (M)
    float* dlogit;       // (M, B)
    bool adds;
    LiveModels models;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const int64_t m = a.models.model(ctx.block_y());
    const int64_t b = static_cast<int64_t>(ctx.block_x()) * kLossThreads + ctx.thread();
    if (b >= a.rows.B) {
      return;
    }
    const int64_t at = m * a.rows.B + b;
    const float slope =
        point::sigmoid(a.rows.logit[at]) - a.rows.target[m * a.rows.target_stride + b];
    const float d = a.dloss[m] * a.rows.weight[m * a.rows.weight_stride + b] * slope;
    a.dlogit[at] = a.adds ? a.dlogit[at] + d : d;
  }
};

template <class Table>
void sigmoid_xent_kernels(Table& t) {
  t.template add<LossPartials<SigmoidXentTerms>>();
  t.template add<SigmoidXentDx>();
}

}  // namespace sv::ops
