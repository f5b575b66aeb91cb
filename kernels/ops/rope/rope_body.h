// Kernel of rope: a thread per position and pair, which computes its angle once in double, as the
// CPU does, and rotates that pair in every head of up to 8 sequences.
//
// The angle is computed here, not kept: a kept table would need an owner per device, and the
// arithmetic of math/point.h gives the CPU's bits on both sides. It costs about 100 operations in
// double against 16 bytes of traffic for each of the 8 H rotations that share it, so the pass stays
// at the floor of one read and one write per element.
#pragma once
#include <cstdint>

#include "kernels/math/point.h"
#include "kernels/simt/context.h"
#include "kernels/simt/live_models.h"

namespace sv::ops {

struct RopeRotate {
  static constexpr const char* kName = "rope_rotate";
  static constexpr int kThreads = 128;
  static constexpr int64_t kSequences = 8;  // that share an angle
  struct Args {
    const float* x;       // (M, B, T, heads 2 pairs)
    float* y;             // (M, B, T, heads 2 pairs); may be x
    int64_t B, T, pairs;  // pairs of one head
    int64_t offset;       // place of position 0
    int heads, tiles;     // blocks that cover T pairs angles
    bool interleaved;     // pairs are neighbours, not K/2 apart
    double log_base;
    float turn;  // 1, or -1 for the inverse
    LiveModels models;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const int64_t angle = static_cast<int64_t>(ctx.block_x() % a.tiles) * kThreads + ctx.thread();
    if (angle >= a.T * a.pairs) {
      return;
    }
    const int64_t t = angle / a.pairs, i = angle % a.pairs;
    const double frequency =
        point::exp_poly(-a.log_base * static_cast<double>(i) / static_cast<double>(a.pairs));
    double sine = 0, cosine = 0;
    point::sine_cosine(static_cast<double>(t + a.offset) * frequency, sine, cosine);
    const float c = static_cast<float>(cosine), s = a.turn * static_cast<float>(sine);
    const int64_t first = ctx.block_x() / a.tiles * kSequences;
    const int64_t end = first + kSequences < a.B ? first + kSequences : a.B;
    const int64_t m = a.models.model(ctx.block_y());
    const int64_t place = a.interleaved ? 2 * i : i, apart = a.interleaved ? 1 : a.pairs;
    for (int64_t b = first; b < end; ++b) {
      int64_t at = ((m * a.B + b) * a.T + t) * a.heads * 2 * a.pairs + place;
      for (int h = 0; h < a.heads; ++h, at += 2 * a.pairs) {
        const float low = a.x[at], high = a.x[at + apart];
        a.y[at] = low * c - high * s;
        a.y[at + apart] = high * c + low * s;
      }
    }
  }
};

template <class Table>
void rope_kernels(Table& t) {
  t.template add<RopeRotate>();
}

}  // namespace sv::ops
