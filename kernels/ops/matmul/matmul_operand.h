// Operands of a block's product: how a matrix (rows, depth) lies in memory, and the two ways its
// tiles come into shared memory.
//
// A product is out (R, C) = a (R, depth) b (C, depth)^T, a sum over the depth. An operand is `deep`
// where neighbours in memory are neighbours in depth (x and w of y = x w^T), `wide` where they are
// neighbours in rows (both operands of dw = dy^T x). A tile keeps that order in shared memory, so
// that 4 elements move at once on both sides.
#pragma once
#include <bit>
#include <cstdint>

#include "kernels/simt/context.h"

namespace sv::ops::product {

enum class Order { deep, wide };

/// The part of an operand that one block reads, from its first row and its first step on.
template <class S>
struct Source {
  const S* at;
  int rows, depth;  // left from `at` on
  int stride;       // from one row (deep) or one step of depth (wide) to the next
  bool vector;      // 4 elements at once: aligned, and 4 divides the contiguous extent

  /// Leaves out the first steps of depth.
  template <Order order>
  SV_DEVICE void skip(int steps) {
    at += order == Order::deep ? steps : static_cast<int64_t>(steps) * stride;
    depth -= steps;
  }
};

/// bf16 as stored; the host's type has conversions that no kernel needs.
struct Narrow {
  uint16_t bits;
};
struct alignas(8) Narrow4 {
  Narrow at[4];
};

SV_DEVICE float widen(float x) {
  return x;
}
SV_DEVICE float widen(Narrow x) {
  return std::bit_cast<float>(static_cast<uint32_t>(x.bits) << 16);
}
SV_DEVICE simt::Float4 load_chunk(const float* p) {
  return simt::load4(p);
}
SV_DEVICE simt::Float4 load_chunk(const Narrow* p) {
  const Narrow4 n = *reinterpret_cast<const Narrow4*>(p);
  return {{widen(n.at[0]), widen(n.at[1]), widen(n.at[2]), widen(n.at[3])}};
}

/// Chunks of 4 contiguous elements of a tile (kRows, kDepth), dealt out to the block's threads.
template <Order order, int kRows, int kDepth, int kPad>
struct TileChunks {
  static constexpr bool kDeep = order == Order::deep;
  static constexpr int kPerLine = (kDeep ? kDepth : kRows) / 4;
  static constexpr int kCount = kRows * kDepth / 4;
  /// Elements from one line of the tile to the next.
  static constexpr int kPitch = (kDeep ? kDepth : kRows) + kPad;
  static constexpr int kElements = kPitch * (kDeep ? kRows : kDepth);
  static_assert(kPitch % 4 == 0, "a chunk is aligned to its size");

  int row, k;  // of the chunk's first element
  int index;   // its place in the tile
  /// The i-th chunk of a thread. All chunks of a thread stand at one place of their lines, so that
  /// the compiler keeps one address for them.
  template <int kThreads>
  SV_DEVICE static TileChunks of(int thread, int i) {
    static_assert(kThreads % kPerLine == 0 && kCount % kThreads == 0);
    const int line = thread / kPerLine + i * (kThreads / kPerLine);
    const int place = thread % kPerLine * 4;
    return {kDeep ? line : place, kDeep ? place : line, line * kPitch + place};
  }

  /// How many of its elements exist.
  template <class S>
  SV_DEVICE int valid(const Source<S>& s) const {
    const int line = kDeep ? s.rows - row : s.depth - k;
    const int left = kDeep ? s.depth - k : s.rows - row;
    return line <= 0 || left <= 0 ? 0 : left < 4 ? left : 4;
  }
  template <class S>
  SV_DEVICE const S* from(const Source<S>& s) const {
    return s.at + (kDeep ? row * s.stride + k : k * s.stride + row);
  }
};

/// f32 as it is, by asynchronous copies: fetch begins them, put has nothing to do. `fill` stands
/// where there are no elements.
template <Order order, int kRows, int kDepth, int kThreads>
class CopiedTile {
 public:
  // 4 more floats in a line of depth: 8 rows at one depth lie in different banks.
  using Chunks = TileChunks<order, kRows, kDepth, order == Order::deep ? 4 : 0>;
  using Cell = float;

  SV_DEVICE CopiedTile(const Source<float>& source, float fill) : source_(source), fill_(fill) {}

  /// The next kDepth steps; `at` is the tile's first byte in shared memory.
  template <class C>
  SV_DEVICE void fetch(C& ctx, int at) {
    auto to = ctx.template shared<float>(at, Chunks::kElements);
#pragma unroll
    for (int i = 0; i < Chunks::kCount / kThreads; ++i) {
      const Chunks chunk = Chunks::template of<kThreads>(ctx.thread(), i);
      const int valid = chunk.valid(source_);
      const float* from = chunk.from(source_);
      if (source_.vector && valid == 4) {
        ctx.copy_async16(to + chunk.index, from);
        continue;
      }
      for (int j = 0; j < 4; ++j) {
        if (j < valid) {
          ctx.template copy_async<4>(to + (chunk.index + j), from + j);
        } else {
          to[chunk.index + j] = fill_;
        }
      }
    }
    source_.template skip<order>(kDepth);
  }
  template <class C>
  SV_DEVICE void put(C&, int) {}

 private:
  Source<float> source_;
  const float fill_;
};

/// Elements that change on their way: fetch reads them into registers, put rounds (or widens) and
/// stores. The reads are under way while the block computes on the tile before.
template <class S, class Format, Order order, int kRows, int kDepth, int kThreads>
class StagedTile {
 public:
  using Chunks =
      TileChunks<order, kRows, kDepth, order == Order::deep ? Format::kPadDeep : Format::kPadWide>;
  using Cell = typename Format::Cell;
  static constexpr int kHeld = Chunks::kCount / kThreads;

  SV_DEVICE StagedTile(const Source<S>& source, float fill) : source_(source), fill_(fill) {}

  template <class C>
  SV_DEVICE void fetch(C& ctx, int) {
#pragma unroll
    for (int i = 0; i < kHeld; ++i) {
      const Chunks chunk = Chunks::template of<kThreads>(ctx.thread(), i);
      const int valid = chunk.valid(source_);
      const S* from = chunk.from(source_);
      if (source_.vector && valid == 4) {
        held_[i] = load_chunk(from);
        continue;
      }
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        held_[i].at[j] = j < valid ? widen(from[j]) : fill_;
      }
    }
    source_.template skip<order>(kDepth);
  }
  template <class C>
  SV_DEVICE void put(C& ctx, int at) {
    using Stored = typename Format::Stored;
    auto to = ctx.template shared<Stored>(at, Chunks::kElements / 4);
#pragma unroll
    for (int i = 0; i < kHeld; ++i) {
      const Chunks chunk = Chunks::template of<kThreads>(ctx.thread(), i);
      to[chunk.index / 4] = Format::stored(ctx, held_[i]);
    }
  }

 private:
  Source<S> source_;
  const float fill_;
  simt::Float4 held_[kHeld] = {};
};

/// What 4 staged elements become in shared memory. The pads keep the reads of fragments apart:
/// matmul_fma.h and matmul_mma.h say which.
struct AsF32 {
  using Cell = float;
  using Stored = simt::Float4;
  static constexpr int kPadDeep = 4, kPadWide = 0;
  template <class C>
  SV_DEVICE static Stored stored(C&, const simt::Float4& v) {
    return v;
  }
};
struct AsTf32 {
  using Cell = float;
  using Stored = simt::Float4;
  static constexpr int kPadDeep = 4, kPadWide = 8;
  template <class C>
  SV_DEVICE static Stored stored(C& ctx, const simt::Float4& v) {
    return {
        {ctx.to_tf32(v.at[0]), ctx.to_tf32(v.at[1]), ctx.to_tf32(v.at[2]), ctx.to_tf32(v.at[3])}};
  }
};
struct AsBf16 {
  struct alignas(8) Stored {
    uint32_t at[2];
  };
  using Cell = uint16_t;
  static constexpr int kPadDeep = 8, kPadWide = 8;
  template <class C>
  SV_DEVICE static Stored stored(C& ctx, const simt::Float4& v) {
    return {{ctx.to_bf16(v.at[0], v.at[1]), ctx.to_bf16(v.at[2], v.at[3])}};
  }
};

}  // namespace sv::ops::product
