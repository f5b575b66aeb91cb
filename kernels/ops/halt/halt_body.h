// Kernel of halt: a block per row of the batch, a thread per channel. The floor is the traffic: h
// once, in neighbouring channels.
#pragma once
#include "kernels/simt/live_models.h"
#include "kernels/simt/reduce.h"

namespace sv::ops {

inline constexpr int kHaltThreads = 256;

/// Threads of a block, from D alone: no more warps than there are channels for.
inline int halt_threads(int64_t D) {
  const int64_t warps = (D + simt::kWarp - 1) / simt::kWarp;
  return static_cast<int>(warps < 1 ? 1 : warps < 8 ? warps : 8) * simt::kWarp;
}

struct Halt {
  static constexpr const char* kName = "halt";
  static constexpr int kMaxBlock = kHaltThreads;
  struct Args {
    const float* h;     // (M, B, T, D)
    const float* w;     // (M, D)
    const float* bias;  // (M) or null
    float* logit;       // (M, B)
    int* live;          // (M, B)
    int64_t B, T, D;
    double threshold;
    LiveModels models;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const int64_t m = a.models.model(ctx.block_y()), b = m * a.B + ctx.block_x();
    const float share = 1.0f / static_cast<float>(a.T);
    float score = 0.0f;
    for (int64_t d = ctx.thread(); d < a.D; d += ctx.threads()) {
      const float* h = a.h + b * a.T * a.D + d;
      float sum = 0.0f;
      for (int64_t t = 0; t < a.T; ++t) {
        sum = sum + h[t * a.D];
      }
      score = score + sum * share * a.w[m * a.D + d];
    }
    score = simt::block_sum(ctx, score, 0);
    if (ctx.thread() == 0) {
      score = a.bias ? score + a.bias[m] : score;
      a.logit[b] = score;
      a.live[b] = a.live[b] != 0 && !(static_cast<double>(score) > a.threshold) ? 1 : 0;
    }
  }
};

template <class Table>
void halt_kernels(Table& t) {
  t.template add<Halt>();
}

}  // namespace sv::ops
