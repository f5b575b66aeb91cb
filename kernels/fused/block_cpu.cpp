// The fused block on the packed-panel kernels: chunks of sequences, stripes of rows.
#include "kernels/fused/block.h"

#include <cmath>

#include "kernels/cpu/gemm.h"
#include "kernels/ops/attention/attention_row.h"
#include "kernels/ops/layernorm/layernorm_row.h"
#include "kernels/ops/matmul/matmul.h"
#include "kernels/ops/rmsnorm/rmsnorm_row.h"
#include "kernels/ops/rope/rope_row.h"

namespace sv::fused {

namespace {

// Rows that go through norm, product and epilogue together: 48 rows of 2F = 688 floats are 132 KiB.
constexpr int64_t kStripe = 48;
// Rows of the sequences that one thread takes through the block together.
constexpr int64_t kChunkRows = 128;
// Below this many flops a second thread saves less than it costs to call it (about 2 us).
constexpr double kTeamFlops = 5e5;

struct Dims {
  int64_t M, B, T, D, H, G, K, F, up;  // up: columns of the first matrix of the MLP
  int live;
  int64_t kv() const { return G * K; }
  double flops() const {  // of one sequence
    return 2.0 * static_cast<double>(T) *
           static_cast<double>(2 * D * D + 2 * D * kv() + D * up + F * D + 2 * T * D);
  }
};

/// Consecutive sequences of one model.
struct Chunk {
  int64_t m, b, rows;
};

/// What the threads of a team have in common: queries of a chunk's rows, keys and values as panels
/// of every (sequence, group).
template <class T>
struct Shared {
  T *q, *keys, *values;
};

/// What one thread works in: stripes of normed rows, of mixed values and of the MLP (or of keys and
/// values), and the scores of a head.
template <class T>
struct Own {
  T *normed, *mixed, *wide, *hidden, *scores;
};

template <class T>
class Block {
 public:
  Block(const Context& ctx,
        const BlockSizes& sizes,
        const BlockWeights& w,
        const ops::AttentionMask& mask,
        const Dims& d,
        const Tensor& x,
        const Tensor& y)
      : ctx_(ctx),
        sizes_(sizes),
        w_(w),
        mask_(mask),
        d_(d),
        x_(x.as<T>()),
        y_(y.as<T>()),
        threads_(threads_for(ctx, d)),
        key_panels_(gemm_.packed_size(d.K, d.T)),
        value_panels_(gemm_.packed_size(d.T, d.K)) {}

  void run() {
    const ArenaScope scope(*ctx_.arena);
    if (sizes_.rope) {  // here, before threads start: it may allocate
      const auto& table = cpu::rope_table<T>(0, d_.T, d_.K / 2, sizes_.rope_base);
      cosine_ = table.cosine.data();
      sine_ = table.sine.data();
    }
    const int64_t sequences = d_.live * d_.B;
    const bool team = sequences < threads_;
    const int64_t share = std::max<int64_t>(1, sequences / threads_);
    const int64_t each = team ? 1 : std::clamp<int64_t>(kChunkRows / d_.T, 1, share);
    const int64_t chunks = (d_.B + each - 1) / each;
    stripe_ = team ? (d_.T + threads_ - 1) / threads_ : std::min(kStripe, each * d_.T);
    alloc(each * d_.T, team ? 1 : threads_);
    const auto chunk_of = [&](int64_t item) {
      const int64_t b = item % chunks * each;
      return Chunk{ctx_.model(static_cast<int>(item / chunks)), b, std::min(each, d_.B - b) * d_.T};
    };
    if (team) {
      for (int64_t item = 0; item < d_.live * chunks; ++item) {
        compute_together(chunk_of(item));
      }
    } else {
      cpu::for_each_task(threads_, d_.live * chunks, [&](int64_t item, int thread) {
        compute(chunk_of(item), shared_[thread], own_[thread]);
      });
    }
  }

 private:
  /// Little work is for one thread.
  static int threads_for(const Context& ctx, const Dims& d) {
    const double flops = static_cast<double>(d.live * d.B) * d.flops();
    return flops < kTeamFlops ? 1 : std::max(ctx.threads, 1);
  }

  /// Scratch for as many chunks at a time, and for every thread.
  void alloc(int64_t chunk_rows, int chunks) {
    const auto take = [&](int64_t count) {
      return ctx_.arena->alloc_n<T>(static_cast<size_t>(count));
    };
    shared_ = ctx_.arena->alloc_n<Shared<T>>(static_cast<size_t>(chunks));
    const int64_t groups = chunk_rows / d_.T * d_.G;
    for (int i = 0; i < chunks; ++i) {
      shared_[i] = {
          take(chunk_rows * d_.D), take(groups * key_panels_), take(groups * value_panels_)};
    }
    own_ = ctx_.arena->alloc_n<Own<T>>(static_cast<size_t>(threads_));
    for (int i = 0; i < threads_; ++i) {
      own_[i] = {take(stripe_ * d_.D),
                 take(stripe_ * d_.D),
                 take(stripe_ * std::max(d_.up, 2 * d_.kv())),
                 take(stripe_ * d_.F),
                 take(std::min(stripe_, d_.T) * d_.T)};
    }
  }

  void compute(const Chunk& c, const Shared<T>& s, const Own<T>& own) const {
    for (int64_t at = 0; at < c.rows; at += stripe_) {
      project(c, s, own, at, std::min(stripe_, c.rows - at));
    }
    for (int64_t at = 0; at < c.rows; at += stripe_) {
      finish(c, s, own, at, std::min(stripe_, c.rows - at));
    }
  }

  /// One sequence on all threads, a stripe of its rows each. They meet once, when keys and values
  /// are there. (Shorter stripes, taken as threads are free, were slower: 54 against 45 us at R1.)
  void compute_together(const Chunk& c) const {
#pragma omp parallel num_threads(threads_)
    {
      const Own<T>& own = own_[omp_get_thread_num()];
#pragma omp for schedule(static, 1)
      for (int64_t at = 0; at < c.rows; at += stripe_) {
        project(c, *shared_, own, at, std::min(stripe_, c.rows - at));
      }
#pragma omp for schedule(static, 1) nowait
      for (int64_t at = 0; at < c.rows; at += stripe_) {
        finish(c, *shared_, own, at, std::min(stripe_, c.rows - at));
      }
    }
  }

  int64_t first_row(const Chunk& c) const {
    return (c.m * d_.B + c.b) * d_.T;
  }

  /// y (rows, n) = a (rows, k) w^T.
  void product(
      const Chunk& c, const T* a, int64_t rows, int64_t k, const Tensor& w, int64_t n, T* y) const {
    const T* panels = w.as<T>() + c.m * gemm_.packed_size(k, n);
    gemm_.run({a, k, 1}, rows, k, n, panels, y, n, false);
  }

  void add_bias(const Chunk& c, const Tensor& bias, int64_t rows, int64_t n, T* y) const {
    for (int64_t i = 0; bias && i < rows; ++i) {
      const T* add = bias.as<T>() + c.m * n;
      cpu::write_row(y + i * n, n, true, [=](int64_t j) { return add[j]; });
    }
  }

  /// Rows after the norm: in `to`, or where they were if there is no norm.
  const T* norm(const Chunk& c, const NormWeights& w, const T* x, int64_t rows, T* to) const {
    if (!w.gain) {
      return x;
    }
    const T* gain = w.gain.as<T>() + c.m * d_.D;
    const T* bias = w.bias ? w.bias.as<T>() + c.m * d_.D : nullptr;
    const T eps = static_cast<T>(w.eps);
    for (int64_t i = 0; i < rows; ++i) {
      const T* row = x + i * d_.D;
      if (w.layer) {
        cpu::layernorm_row(row, gain, bias, eps, d_.D, to + i * d_.D);
      } else {
        cpu::rmsnorm_row(row, gain, eps, d_.D, to + i * d_.D);
      }
    }
    return to;
  }

  void rotate_rows(int64_t at, int64_t rows, int64_t heads, T* x) const {
    const int64_t pairs = d_.K / 2;
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t angle = (at + i) % d_.T * pairs;
      for (int64_t h = 0; h < heads; ++h) {
        T* pair = x + (i * heads + h) * d_.K;
        cpu::rotate(pair, cosine_ + angle, sine_ + angle, T{1}, pairs, pair);
      }
    }
  }

  /// Queries, keys and values of rows [at, at + rows) of the chunk.
  void project(
      const Chunk& c, const Shared<T>& s, const Own<T>& own, int64_t at, int64_t rows) const {
    const T* x = x_ + (first_row(c) + at) * d_.D;
    const T* in = norm(c, w_.attn_in, x, rows, own.normed);
    T *k = own.wide, *v = own.wide + rows * d_.kv();
    product(c, in, rows, d_.D, w_.q, d_.D, s.q + at * d_.D);
    product(c, in, rows, d_.D, w_.k, d_.kv(), k);
    product(c, in, rows, d_.D, w_.v, d_.kv(), v);
    if (sizes_.rope) {
      rotate_rows(at, rows, d_.H, s.q + at * d_.D);
      rotate_rows(at, rows, d_.G, k);
    }
    for (int64_t i = at; i < at + rows;) {  // one sequence after the other
      const int64_t sequence = i / d_.T, first = sequence * d_.T;
      const int64_t end = std::min(at + rows, first + d_.T);
      for (int64_t g = 0; g < d_.G; ++g) {
        const int64_t from = (i - at) * d_.kv() + g * d_.K, place = sequence * d_.G + g;
        const cpu::Range positions{i - first, end - first}, whole{0, d_.K};
        gemm_.pack_piece(
            {k + from, 1, d_.kv()}, d_.K, d_.T, whole, positions, s.keys + place * key_panels_);
        gemm_.pack_piece(
            {v + from, d_.kv(), 1}, d_.T, d_.K, positions, whole, s.values + place * value_panels_);
      }
      i = end;
    }
  }

  /// Mixed values of rows [at, at + rows), sequence after sequence, head after head.
  void attend(
      const Chunk& c, const Shared<T>& s, const Own<T>& own, int64_t at, int64_t rows) const {
    const T scale = static_cast<T>(1.0 / std::sqrt(static_cast<double>(d_.K)));
    for (int64_t begin = at, end = 0; begin < at + rows; begin = end) {
      const int64_t i = begin / d_.T, first = i * d_.T;
      end = std::min(at + rows, first + d_.T);
      const cpu::Visible visible(mask_, d_.T, c.m, c.b + i);
      for (int64_t h = 0; h < d_.H; ++h) {
        const int64_t place = i * d_.G + h / (d_.H / d_.G), from = begin * d_.D + h * d_.K;
        const T *keys = s.keys + place * key_panels_, *values = s.values + place * value_panels_;
        gemm_.run({s.q + from, d_.D, 1}, end - begin, d_.K, d_.T, keys, own.scores, d_.T, false);
        cpu::softmax_rows(visible, begin - first, end - begin, d_.T, scale, own.scores);
        T* mixed = own.mixed + (begin - at) * d_.D + h * d_.K;
        gemm_.run({own.scores, d_.T, 1}, end - begin, d_.T, d_.K, values, mixed, d_.D, false);
      }
    }
  }

  /// y = x + y of `rows` rows, and the norm behind the sum.
  void close_residual(const Chunk& c, const NormWeights& w, const T* x, int64_t rows, T* y) const {
    cpu::write_row(y, rows * d_.D, false, [=](int64_t i) { return x[i] + y[i]; });
    norm(c, w, y, rows, y);
  }

  /// From queries, keys and values to the block's output.
  void finish(
      const Chunk& c, const Shared<T>& s, const Own<T>& own, int64_t at, int64_t rows) const {
    const int64_t D = d_.D, F = d_.F, row = (first_row(c) + at) * D;
    T* y = y_ + row;
    attend(c, s, own, at, rows);
    product(c, own.mixed, rows, D, w_.out, D, y);
    close_residual(c, w_.attn_out, x_ + row, rows, y);
    const T* in = norm(c, w_.mlp_in, y, rows, own.normed);
    product(c, in, rows, D, w_.up, d_.up, own.wide);
    add_bias(c, w_.up_bias, rows, d_.up, own.wide);
    for (int64_t i = 0; i < rows; ++i) {
      const T* gate = own.wide + i * d_.up;
      if (sizes_.gated) {
        const T* up = gate + F;
        cpu::write_row(
            own.hidden + i * F, F, false, [=](int64_t j) { return point::silu(gate[j]) * up[j]; });
      } else {
        cpu::write_row(
            own.hidden + i * F, F, false, [=](int64_t j) { return point::gelu(gate[j]); });
      }
    }
    T* down = own.normed;  // its rows have been read
    product(c, own.hidden, rows, F, w_.down, D, down);
    add_bias(c, w_.down_bias, rows, D, down);
    cpu::write_row(y, rows * D, true, [=](int64_t i) { return down[i]; });
    norm(c, w_.mlp_out, y, rows, y);
  }

  const Context& ctx_;
  const BlockSizes& sizes_;
  const BlockWeights& w_;
  const ops::AttentionMask& mask_;
  const Dims d_;
  const T* x_;
  T* y_;
  const cpu::Gemm<T> gemm_;
  const int threads_;
  const int64_t key_panels_, value_panels_;  // elements of one (sequence, group)
  const T *cosine_ = nullptr, *sine_ = nullptr;
  int64_t stripe_ = 0;
  Shared<T>* shared_ = nullptr;
  Own<T>* own_ = nullptr;
};

Dims check(const Context& ctx,
           const BlockSizes& s,
           const BlockWeights& w,
           const ops::AttentionMask& mask,
           const Tensor& x,
           const Tensor& y) {
  SV_CHECK(!ctx.device && ctx.precision == Precision::f32, "a fused block is computed on the CPU");
  SV_CHECK_EQ(x.shape.rank(), 4, "a block needs x (M, B, T, D), got ", x.shape);
  SV_CHECK(s.heads >= 1 && s.kv_heads >= 1 && s.heads % s.kv_heads == 0 && x.dim(3) % s.heads == 0,
           "heads = ",
           s.heads,
           ", kv_heads = ",
           s.kv_heads,
           ", width = ",
           x.dim(3));
  expect_shape(y.shape, x.shape, "y");
  SV_CHECK(y.dtype == x.dtype && y.data != x.data, "y is a tensor of its own, in the dtype of x");
  const int64_t D = x.dim(3), K = D / s.heads;
  SV_CHECK(!s.rope || K % 2 == 0, "rope needs an even head width; it is ", K);
  const Dims d{x.dim(0),
               x.dim(1),
               x.dim(2),
               D,
               s.heads,
               s.kv_heads,
               K,
               s.hidden,
               s.gated ? 2 * s.hidden : s.hidden,
               ctx.model_count(x)};
  const auto expect = [&](const Tensor& panels, int64_t in, int64_t out, const char* name) {
    expect_shape(panels.shape, {d.M, ops::panel_elements_y(x.dtype, out, in)}, name);
    SV_CHECK(panels.dtype == x.dtype, name, " are panels of another dtype");
  };
  expect(w.q, D, D, "q");
  expect(w.k, D, d.kv(), "k");
  expect(w.v, D, d.kv(), "v");
  expect(w.out, D, D, "out");
  expect(w.up, D, d.up, "up");
  expect(w.down, d.F, D, "down");
  const auto expect_row = [&](const Tensor& t, int64_t width, const char* name) {
    if (t) {
      expect_shape(t.shape, {d.M, width}, name);
    }
  };
  expect_row(w.up_bias, d.up, "up_bias");
  expect_row(w.down_bias, D, "down_bias");
  for (const NormWeights* n : {&w.attn_in, &w.attn_out, &w.mlp_in, &w.mlp_out}) {
    expect_row(n->gain, D, "gain");
    expect_row(n->bias, D, "bias");
  }
  ops::check_mask(ctx, mask, d.M, d.B, d.T);
  return d;
}

}  // namespace

void block(const Context& ctx,
           const BlockSizes& sizes,
           const BlockWeights& weights,
           const ops::AttentionMask& mask,
           const Tensor& x,
           const Tensor& y) {
  const Dims d = check(ctx, sizes, weights, mask, x, y);
  if (d.B == 0 || d.T == 0) {
    return;
  }
  with_float(x.dtype, [&]<class T>() { Block<T>(ctx, sizes, weights, mask, d, x, y).run(); });
}

}  // namespace sv::fused
