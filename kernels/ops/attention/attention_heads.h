// How the CPU walks over the heads of attention, shared by its op with a pattern and the one
// without: one thread takes one key-value group of one sequence (m, b, g).
#pragma once
#include "kernels/cpu/split.h"
#include "kernels/ops/attention/attention_row.h"

namespace sv::cpu {

struct HeadDims {
  int64_t M, B, T, S, H, G, K;
  int live;  // models computed

  int64_t group(int64_t h) const { return h / (H / G); }
  int64_t q_at(int64_t mb, int64_t h) const { return mb * T * H * K + h * K; }
  int64_t k_at(int64_t mb, int64_t g) const { return mb * S * G * K + g * K; }
  int64_t p_at(int64_t mb, int64_t h) const { return (mb * H + h) * T * S; }
  /// True for the first head of its group: its dk and dv start, those of the others add.
  bool leads(int64_t h) const { return h % (H / G) == 0; }
};

/// The heads [begin, end) of one group.
struct HeadRange {
  int64_t begin, end;
};

/// ds (T, S) of one head from p and dp; zero where nothing is seen, whatever dp holds there.
template <class T>
inline void score_gradient(
    const HeadDims& d, const Visible& visible, T scale, const T* p, const T* dp, T* ds) {
  for (int64_t t = 0; t < d.T; ++t, p += d.S, dp += d.S, ds += d.S) {
    const int64_t n = visible.count(t);
    const T mean = simd::dot(p, dp, n);
    write_row(ds, n, false, [=](int64_t s) { return scale * (p[s] * (dp[s] - mean)); });
    std::fill(ds + n, ds + d.S, T{0});
  }
}

/// Calls f(m, b, heads, scratch) for every group of heads that share keys and values, `scratch`
/// being `size` elements of the calling thread. Groups write apart from each other: their own heads
/// of q, o and p, their own columns of k and v.
template <class T, class F>
void each_group(const Context& ctx, const HeadDims& d, int64_t size, F&& f) {
  const ArenaScope scope(*ctx.arena);
  const int64_t apart = (size + 15) / 16 * 16;  // whole cache lines
  T* scratch = ctx.arena->alloc_n<T>(static_cast<size_t>(apart * ctx.threads));
  const int64_t work = d.live * d.B * d.H * d.T * d.S;
  // The thread's place comes from the split: omp_get_thread_num() would be that of a region around
  // this call, whose thread has scratch for one.
  const int threads = work < kSerialElements ? 1 : ctx.threads;
  for_each_task(threads, d.live * d.B * d.G, [&](int64_t item, int thread) {
    const int64_t g = item % d.G, b = item / d.G % d.B, each = d.H / d.G;
    f(ctx.model(static_cast<int>(item / (d.B * d.G))),
      b,
      HeadRange{g * each, (g + 1) * each},
      scratch + thread * apart);
  });
}

}  // namespace sv::cpu
