// Kernel of live_rows: a block per model takes 256 flags at a time; a row's place is the number of
// live rows before it, from the warps' ballots. (Copies are CopyRows of ops/rows.) A batch of a few
// thousand flags is a few rounds: the launch is the cost.
#pragma once
#include <bit>

#include "kernels/simt/context.h"
#include "kernels/simt/live_models.h"

namespace sv::ops {

struct LiveRows {
  static constexpr const char* kName = "live_rows";
  static constexpr int kThreads = 256;
  static constexpr int kWarps = kThreads / simt::kWarp;
  static constexpr int kSharedBytes = kWarps * 4;
  struct Args {
    const int* live;  // (M, B)
    int* rows;        // (M, B)
    int* count;       // (M)
    int64_t B;
    LiveModels models;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const int64_t m = a.models.model(ctx.block_x());
    int* rows = a.rows + m * a.B;
    auto found = ctx.template shared<int>(0, kWarps);  // live rows of each warp's 32
    int before = 0;                                    // of the rounds that are done
    for (int64_t first = 0; first < a.B; first += kThreads) {
      const int64_t b = first + ctx.thread();
      const bool live = b < a.B && a.live[m * a.B + b] != 0;
      const uint32_t ballot = ctx.ballot(live);
      if (ctx.lane() == 0) {
        found[ctx.warp()] = std::popcount(ballot);
      }
      ctx.barrier();
      int place = before + std::popcount(ballot & ((1u << ctx.lane()) - 1));
      for (int w = 0; w < kWarps; ++w) {
        const int here = found[w];
        place += w < ctx.warp() ? here : 0;
        before += here;
      }
      if (live) {
        rows[place] = static_cast<int>(b);
      }
      ctx.barrier();
    }
    for (int64_t j = before + ctx.thread(); j < a.B; j += kThreads) {
      rows[j] = -1;
    }
    if (ctx.thread() == 0) {
      a.count[m] = before;
    }
  }
};

template <class Table>
void compact_kernels(Table& t) {
  t.template add<LiveRows>();
}

}  // namespace sv::ops
