// Kernels that do one thing as fast as the device can: what others are judged by (limits.h). Every
// one of them leaves a result that the host knows.
#pragma once
#include "kernels/simt/context.h"

namespace sv::gpu {

inline constexpr int kLimitThreads = 256;

/// Copies chunks of 16 bytes, 4 of them under way in every thread.
struct LimitCopy {
  static constexpr const char* kName = "limit_copy";
  static constexpr int kTogether = 4;
  struct Args {
    const float* from;
    float* to;
    int64_t chunks;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const int64_t threads = static_cast<int64_t>(ctx.grid_x()) * kLimitThreads;
    const int64_t me = static_cast<int64_t>(ctx.block_x()) * kLimitThreads + ctx.thread();
    for (int64_t first = me; first < a.chunks; first += kTogether * threads) {
      simt::Float4 held[kTogether];
      for (int i = 0; i < kTogether; ++i) {
        if (first + i * threads < a.chunks) {
          held[i] = simt::load4(a.from + 4 * (first + i * threads));
        }
      }
      for (int i = 0; i < kTogether; ++i) {
        if (first + i * threads < a.chunks) {
          simt::store4(a.to + 4 * (first + i * threads), held[i]);
        }
      }
    }
  }
};

/// Chains of multiply-adds, 8 at a time: x_j <- factor x_j + term.
struct LimitFma {
  static constexpr const char* kName = "limit_fma";
  static constexpr int kChains = 8;
  struct Args {
    float* out;  // (threads): the sum of its chains
    float factor, term;
    int steps;
  };
  SV_HD static float start(int64_t thread, int chain) {
    return 0.01f * static_cast<float>((thread * kChains + chain) % 97);
  }
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const int64_t me = static_cast<int64_t>(ctx.block_x()) * kLimitThreads + ctx.thread();
    float x[kChains];
    for (int j = 0; j < kChains; ++j) {
      x[j] = start(me, j);
    }
    SV_UNROLL(8)
    for (int s = 0; s < a.steps; ++s) {
      for (int j = 0; j < kChains; ++j) {
        x[j] = ctx.fma(a.factor, x[j], a.term);
      }
    }
    float sum = 0;
    for (int j = 0; j < kChains; ++j) {
      sum = sum + x[j];
    }
    a.out[me] = sum;
  }
};

struct LimitMmaArgs {
  const uint32_t* words;  // (32 lanes, 16): two fragments of a, four of b
  float* out;             // (warps, 32 lanes, 32): the sums
  int steps;
};

/// 8 products of fragments a step, each added to sums of its own.
template <bool kTf32>
struct LimitMma {
  static constexpr const char* kName = kTf32 ? "limit_mma_tf32" : "limit_mma_bf16";
  /// Of one warp in one step: 8 products of 16 x 8 over a depth of 8 or 16.
  static constexpr double kFlops = 8.0 * 2 * 16 * 8 * (kTf32 ? 8 : 16);
  using Args = LimitMmaArgs;
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    uint32_t left[2][4], right[4][2];
    const uint32_t* words = a.words + ctx.lane() * 16;
    for (int i = 0; i < 8; ++i) {
      left[i / 4][i % 4] = words[i];
      right[i / 2][i % 2] = words[8 + i];
    }
    float sum[8][4] = {};
    SV_UNROLL(2)
    for (int s = 0; s < a.steps; ++s) {
      for (int i = 0; i < 8; ++i) {
        if constexpr (kTf32) {
          ctx.mma_tf32_1688(sum[i], left[i % 2], right[i / 2]);
        } else {
          ctx.mma_bf16_16816(sum[i], left[i % 2], right[i / 2]);
        }
      }
    }
    const int64_t warp = static_cast<int64_t>(ctx.block_x()) * ctx.warps() + ctx.warp();
    for (int i = 0; i < 32; ++i) {
      a.out[(warp * 32 + ctx.lane()) * 32 + i] = sum[i / 4][i % 4];
    }
  }
};

/// Reads of a memory that stays in L2 and in no multiprocessor: in each round a block reads another
/// slice of it.
struct LimitL2 {
  static constexpr const char* kName = "limit_l2";
  struct Args {
    const float* from;
    float* out;     // (threads): the sum of what it read
    int64_t slice;  // chunks of 16 bytes that a block reads in a round
    int rounds;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    float sum = 0;
    for (int r = 0; r < a.rounds; ++r) {
      const int64_t first = (ctx.block_x() + r) % ctx.grid_x() * a.slice;
      SV_UNROLL(8)
      for (int64_t i = ctx.thread(); i < a.slice; i += kLimitThreads) {
        const simt::Float4 v = simt::load4(a.from + 4 * (first + i));
        sum = sum + (v.at[0] + v.at[1] + v.at[2] + v.at[3]);
      }
    }
    a.out[static_cast<int64_t>(ctx.block_x()) * kLimitThreads + ctx.thread()] = sum;
  }
};

/// Reads of 16 bytes of shared memory, without bank conflicts.
struct LimitShared {
  static constexpr const char* kName = "limit_shared";
  static constexpr int kChunks = 1024, kBytes = kChunks * 16;
  struct Args {
    float* out;  // (threads)
    int steps;
  };
  SV_HD static float value(int chunk) { return static_cast<float>(chunk % 5); }
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    auto memory = ctx.template shared<simt::Float4>(0, kChunks);
    for (int i = ctx.thread(); i < kChunks; i += kLimitThreads) {
      memory[i] = simt::Float4{{value(i), 0.0f, 0.0f, 0.0f}};
    }
    ctx.barrier();
    float sum[4] = {};
    SV_UNROLL(8)
    for (int s = 0; s < a.steps; ++s) {
      const simt::Float4 v = memory[(ctx.thread() + 32 * s) & (kChunks - 1)];
      for (int j = 0; j < 4; ++j) {
        sum[j] = sum[j] + v.at[j];
      }
    }
    a.out[static_cast<int64_t>(ctx.block_x()) * kLimitThreads + ctx.thread()] =
        sum[0] + sum[1] + sum[2] + sum[3];
  }
};

/// What one block of a launch does, again and again.
struct LimitStepsArgs {
  int* out;  // (threads)
  int steps;
};
struct LimitBarrier {
  static constexpr const char* kName = "limit_barrier";
  using Args = LimitStepsArgs;
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    for (int s = 0; s < a.steps; ++s) {
      ctx.barrier();
    }
    a.out[ctx.thread()] = a.steps;
  }
};
/// Passes a number between two lanes, which add 1.
struct LimitShuffle {
  static constexpr const char* kName = "limit_shuffle";
  using Args = LimitStepsArgs;
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    int x = ctx.lane();
    for (int s = 0; s < a.steps; ++s) {
      x = ctx.shfl_xor(x, 1) + 1;
    }
    a.out[ctx.thread()] = x;
  }
};

/// Follows a list: each read waits for the one before it.
struct LimitChase {
  static constexpr const char* kName = "limit_chase";
  struct Args {
    const int* next;
    int* out;  // where it ends
    int steps;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    if (ctx.thread() != 0) {
      return;
    }
    int at = 0;
    for (int s = 0; s < a.steps; ++s) {
      at = a.next[at];
    }
    a.out[0] = at;
  }
};

struct LimitEmpty {
  static constexpr const char* kName = "limit_empty";
  struct Args {
    int* out;  // null: nothing at all is done
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    if (a.out != nullptr && ctx.block_x() == 0 && ctx.thread() == 0) {
      a.out[0] = 1;
    }
  }
};

/// A barrier of all blocks of a launch, which must all run at the same time.
struct LimitGridBarrier {
  static constexpr const char* kName = "limit_grid_barrier";
  struct Args {
    int* arrived;  // 0 at the start
    int* out;      // (blocks)
    int rounds;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    for (int r = 1; r <= a.rounds; ++r) {
      ctx.barrier();
      if (ctx.thread() == 0) {
        ctx.atomic_add(a.arrived, 1);
        while (ctx.load_acquire(a.arrived) < r * ctx.grid_x()) {
        }
      }
      ctx.barrier();
    }
    if (ctx.thread() == 0) {
      a.out[ctx.block_x()] = a.rounds;
    }
  }
};

template <class Table>
void limits_kernels(Table& t) {
  t.template add<LimitCopy>();
  t.template add<LimitFma>();
  t.template add<LimitMma<true>>();
  t.template add<LimitMma<false>>();
  t.template add<LimitL2>();
  t.template add<LimitShared>();
  t.template add<LimitBarrier>();
  t.template add<LimitShuffle>();
  t.template add<LimitChase>();
  t.template add<LimitEmpty>();
  t.template add<LimitGridBarrier>();
}

}  // namespace sv::gpu
