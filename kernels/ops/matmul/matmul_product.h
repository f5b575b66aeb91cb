// What every product of matmul shares: arguments, the place of a block, the walk over the depth and
// the writing of results.
//
// out (R, C) (+)= sum over the depth of a (R, depth) b (C, depth), for each listed model. A block
// computes one tile of out over one part of the depth; block_x counts tiles (columns first, so that
// blocks that share rows of a are neighbours), block_y parts of the depth, block_z listed models.
#pragma once
#include "kernels/ops/matmul/matmul_operand.h"
#include "kernels/simt/live_models.h"

namespace sv::ops::product {

struct ProductArgs {
  const float* a;     // (M, R, depth) deep, or (M, depth, R) wide
  const void* b;      // (M, C, depth) deep, or (M, depth, C) wide; f32 or bf16
  const float* bias;  // (M, C) or null: added after the sum
  float* out;         // (M, R, C), or with partial sums (listed models, parts, R, C)
  int64_t R, depth;
  int C;
  int part;      // depth of a block: all of it, or what one partial sum covers
  int first;     // block_z = 0 is this one of the listed models
  bool partial;  // out holds partial sums
  bool adds;     // to what is in out
  bool vector_a, vector_b, vector_out;  // 4 elements at once
  LiveModels models;
};

/// The tile and the part of the depth of this block.
struct Place {
  int64_t model, slot;  // slot: model and part among those of the launch
  int64_t row, first;
  int column, depth;
};
template <int kRows, int kColumns, class C>
SV_DEVICE Place place_of(C& ctx, const ProductArgs& a) {
  const int across = (a.C + kColumns - 1) / kColumns;
  Place p;
  p.model = a.models.model(a.first + ctx.block_z());
  p.slot = static_cast<int64_t>(ctx.block_z()) * ctx.grid_y() + ctx.block_y();
  p.row = static_cast<int64_t>(ctx.block_x() / across) * kRows;
  p.column = ctx.block_x() % across * kColumns;
  p.first = static_cast<int64_t>(ctx.block_y()) * a.part;
  p.depth = static_cast<int>(a.depth - p.first < a.part ? a.depth - p.first : a.part);
  return p;
}

/// At most kTile of the rows [row, rows), and p.depth steps from p.first on, of the model's
/// (rows, all) matrix. The contiguous extent is below 2^24 (matmul_device.cpp), so that places in a
/// tile are ints.
template <Order order, int kTile, class S>
SV_DEVICE Source<S> source_of(
    const S* base, const Place& p, int64_t row, int64_t rows, int64_t all, bool vector) {
  const S* at = base + p.model * rows * all;
  at += order == Order::deep ? row * all + p.first : p.first * rows + row;
  const int left = static_cast<int>(rows - row < kTile ? rows - row : kTile);
  return {at, left, p.depth, static_cast<int>(order == Order::deep ? all : rows), vector};
}

/// The block's tile of out. Elements beyond its edges read as 0 and are not written.
class Output {
 public:
  SV_DEVICE Output(const ProductArgs& a, const Place& p)
      : at_(a.out + (a.partial ? p.slot : p.model) * a.R * a.C + p.row * a.C + p.column),
        bias_(a.bias ? a.bias + p.model * a.C + p.column : nullptr),
        rows_(static_cast<int>(a.R - p.row < 1024 ? a.R - p.row : 1024)),
        columns_(a.C - p.column),
        stride_(a.C),
        adds_(a.adds),
        vector_(a.vector_out) {}

  /// What the sum starts from: the old value where it is added to.
  SV_DEVICE float start(int row, int column) const {
    return adds_ && inside(row, column) ? at_[row * stride_ + column] : 0.0f;
  }
  /// Writes kCount neighbours of one row; `column` is a multiple of kCount.
  template <int kCount>
  SV_DEVICE void put(int row, int column, const float (&sum)[kCount]) const {
    struct alignas(kCount * 4) Together {
      float at[kCount];
    };
    float* to = at_ + row * stride_ + column;
    Together v;
#pragma unroll
    for (int j = 0; j < kCount; ++j) {
      v.at[j] = bias_ && column + j < columns_ ? sum[j] + bias_[column + j] : sum[j];
    }
    if (vector_ && inside(row, column + kCount - 1)) {
      *reinterpret_cast<Together*>(to) = v;
      return;
    }
#pragma unroll
    for (int j = 0; j < kCount; ++j) {
      if (inside(row, column + j)) {
        to[j] = v.at[j];
      }
    }
  }

 private:
  SV_DEVICE bool inside(int row, int column) const {
    return row < rows_ && column < columns_;
  }
  float* at_;
  const float* bias_;
  int rows_, columns_, stride_;
  bool adds_, vector_;
};

/// Shared memory of a block: kStages pairs of tiles.
template <class A, class B>
struct Stages {
  static constexpr int kBytesA = A::Chunks::kElements * static_cast<int>(sizeof(typename A::Cell));
  static constexpr int kBytes =
      kBytesA + B::Chunks::kElements * static_cast<int>(sizeof(typename B::Cell));
  static_assert(kBytesA % 16 == 0 && kBytes % 16 == 0);
};

/// Walks over `depth` in steps of kStep: compute(byte of a's tile, byte of b's tile) for each, in
/// order, while the tiles of the kStages - 1 steps after it are under way. One barrier a step: it
/// tells that tile s is there, and that everybody has left tile s - 1, whose place the next takes.
template <int kStages, int kStep, class C, class A, class B, class F>
SV_DEVICE void walk(C& ctx, int depth, A& a, B& b, F&& compute) {
  using Memory = Stages<A, B>;
  constexpr int kAhead = kStages - 1;
  const int steps = (depth + kStep - 1) / kStep;
  for (int s = 0; s < kAhead; ++s) {
    if (s < steps) {
      const int at = s * Memory::kBytes;
      a.fetch(ctx, at);
      b.fetch(ctx, at + Memory::kBytesA);
      a.put(ctx, at);
      b.put(ctx, at + Memory::kBytesA);
    }
    ctx.commit_async();
  }
  int at = 0, next = kAhead * Memory::kBytes;
  const auto advance = [](int byte) {
    return byte == kAhead * Memory::kBytes ? 0 : byte + Memory::kBytes;
  };
  for (int s = 0; s < steps; ++s) {
    ctx.template wait_async<kAhead - 1>();
    ctx.barrier();
    const bool more = s + kAhead < steps;
    if (more) {
      a.fetch(ctx, next);
      b.fetch(ctx, next + Memory::kBytesA);
    }
    ctx.commit_async();
    compute(at, at + Memory::kBytesA);
    if (more) {
      a.put(ctx, next);
      b.put(ctx, next + Memory::kBytesA);
    }
    at = advance(at);
    next = advance(next);
  }
}

}  // namespace sv::ops::product
