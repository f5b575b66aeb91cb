// Matrix products of a warp against a plain product. The fragments are filled from tables written
// down from the PTX ISA ("Matrix fragments for mma.m16n8k16 with floating point type" and
// "... mma.m16n8k8"), not from the executor's code: there, groupID = lane / 4 and
// threadID_in_group = lane % 4.
#include "core/dtype.h"
#include "core/rng.h"
#include "simt/planted.h"

namespace sv::simt {
namespace {

struct Place {
  int row, column;
};

// m16n8k16, 16-bit elements. A: a_i, i = 0..7, two to a register. row = groupID for i in {0, 1, 4,
// 5}, groupID + 8 otherwise; column = threadID_in_group * 2 + (i & 1), + 8 for i >= 4.
Place a16_place(int lane, int i) {
  const int group = lane >> 2, thread = lane & 3;
  const bool upper = i == 0 || i == 1 || i == 4 || i == 5;
  return {upper ? group : group + 8, thread * 2 + (i & 1) + (i >= 4 ? 8 : 0)};
}
// B: b_i, i = 0..3. row = threadID_in_group * 2 + (i & 1), + 8 for i >= 2; column = groupID.
Place b16_place(int lane, int i) {
  return {(lane & 3) * 2 + (i & 1) + (i >= 2 ? 8 : 0), lane >> 2};
}
// C and D of both shapes: row = groupID for i < 2, groupID + 8 otherwise; column =
// threadID_in_group * 2 + (i & 1).
Place c_place(int lane, int i) {
  return {(lane >> 2) + (i < 2 ? 0 : 8), (lane & 3) * 2 + (i & 1)};
}
// m16n8k8, .tf32. A: row = groupID for a0 and a2, groupID + 8 for a1 and a3; column =
// threadID_in_group for a0 and a1, + 4 for a2 and a3.
Place a32_place(int lane, int i) {
  return {(lane >> 2) + (i == 1 || i == 3 ? 8 : 0), (lane & 3) + (i >= 2 ? 4 : 0)};
}
// B: row = threadID_in_group for b0, + 4 for b1; column = groupID.
Place b32_place(int lane, int i) {
  return {(lane & 3) + (i == 1 ? 4 : 0), lane >> 2};
}

using Matrix = std::vector<std::vector<float>>;

Matrix random_matrix(int rows, int columns, uint32_t stream, float (*rounded)(float)) {
  Matrix m(static_cast<size_t>(rows), std::vector<float>(static_cast<size_t>(columns)));
  uint64_t i = 0;
  for (auto& row : m) {
    for (float& x : row) {
      x = rounded(static_cast<float>(Rng(5, stream).normal(i++)));
    }
  }
  return m;
}
float at(const Matrix& m, Place p) {
  return m[static_cast<size_t>(p.row)][static_cast<size_t>(p.column)];
}

float as_bf16(float x) {
  return static_cast<float>(bf16(x));
}
/// Round to nearest, ties away from zero, to 10 bits of mantissa; by arithmetic, not by bits.
float as_tf32(float x) {
  int exponent;
  const double mantissa = std::frexp(static_cast<double>(x), &exponent);
  return static_cast<float>(std::ldexp(std::round(mantissa * 2048), exponent - 11));
}
float as_is(float x) {
  return x;
}

/// Fragments of a warp: 4 words of a, 2 of b, 4 of c, for each lane.
struct Fragments {
  uint32_t a[4], b[2];
  float c[4];
};

/// Runs one product per warp with the fragments and compares d with c + a b in double.
template <class Mma>
void expect_product(const std::vector<Fragments>& lanes,
                    const Matrix& a,
                    const Matrix& b,
                    const Matrix& c,
                    Mma mma) {
  SimtDevice device;
  std::vector<float> words(32 * 10);
  std::memcpy(words.data(), lanes.data(), words.size() * sizeof(float));
  const DeviceFloats in(device, words), out(device, std::vector<float>(128));
  run_planted(device, {.block = 32}, mma, {in.data(), out.data(), nullptr});
  const std::vector<float> got = out.read();
  for (int lane = 0; lane < 32; ++lane) {
    for (int i = 0; i < 4; ++i) {
      const Place p = c_place(lane, i);
      double expected = static_cast<double>(at(c, p));
      for (size_t k = 0; k < b.size(); ++k) {
        expected += static_cast<double>(at(a, {p.row, static_cast<int>(k)})) *
                    static_cast<double>(at(b, {static_cast<int>(k), p.column}));
      }
      // One rounding of a sum of at most 17 terms of size about 1.
      ASSERT_NEAR(got[static_cast<size_t>(lane * 4 + i)], expected, 1e-6)
          << "row " << p.row << ", column " << p.column;
    }
  }
}

TEST(SimtProduct, OfBf16HasThePtxFragments) {
  const Matrix a = random_matrix(16, 16, 1, as_bf16), b = random_matrix(16, 8, 2, as_bf16),
               c = random_matrix(16, 8, 3, as_is);
  std::vector<Fragments> lanes(32);
  for (int lane = 0; lane < 32; ++lane) {
    Fragments& f = lanes[static_cast<size_t>(lane)];
    const auto pack = [](float low, float high) {
      return static_cast<uint32_t>(bf16(low).bits) | static_cast<uint32_t>(bf16(high).bits) << 16;
    };
    for (int i = 0; i < 4; ++i) {
      f.a[i] = pack(at(a, a16_place(lane, 2 * i)), at(a, a16_place(lane, 2 * i + 1)));
      f.c[i] = at(c, c_place(lane, i));
    }
    for (int i = 0; i < 2; ++i) {
      f.b[i] = pack(at(b, b16_place(lane, 2 * i)), at(b, b16_place(lane, 2 * i + 1)));
    }
  }
  expect_product(lanes, a, b, c, [](auto& ctx, const PlantedArgs& args) {
    Fragments f;
    std::memcpy(&f, args.in + 10 * ctx.lane(), sizeof f);
    ctx.mma_bf16_16816(f.c, f.a, f.b);
    std::memcpy(args.out + 4 * ctx.lane(), f.c, sizeof f.c);
  });
}

TEST(SimtProduct, OfTf32HasThePtxFragments) {
  const Matrix a = random_matrix(16, 8, 4, as_tf32), b = random_matrix(8, 8, 5, as_tf32),
               c = random_matrix(16, 8, 6, as_is);
  std::vector<Fragments> lanes(32);
  for (int lane = 0; lane < 32; ++lane) {
    Fragments& f = lanes[static_cast<size_t>(lane)];
    for (int i = 0; i < 4; ++i) {
      f.a[i] = std::bit_cast<uint32_t>(at(a, a32_place(lane, i)));
      f.c[i] = at(c, c_place(lane, i));
    }
    for (int i = 0; i < 2; ++i) {
      f.b[i] = std::bit_cast<uint32_t>(at(b, b32_place(lane, i)));
    }
  }
  expect_product(lanes, a, b, c, [](auto& ctx, const PlantedArgs& args) {
    Fragments f;
    std::memcpy(&f, args.in + 10 * ctx.lane(), sizeof f);
    ctx.mma_tf32_1688(f.c, f.a, f.b);
    std::memcpy(args.out + 4 * ctx.lane(), f.c, sizeof f.c);
  });
}

TEST(SimtProduct, RoundsToTf32ToTheNearestAndTiesAway) {
  SimtDevice device;
  std::vector<float> values = {1.0f, -1.0f, 0.1f, 1e-30f, 3e38f, 0.0f, INFINITY, 1e-42f};
  values.push_back(1.0f + 0x1p-11f);  // half way between two: away from zero
  values.push_back(-1.0f - 0x1p-11f);
  values.push_back(1.0f + 0x1p-11f - 0x1p-23f);
  values.resize(32, 0.7f);
  const DeviceFloats in(device, values), out(device, values);
  run_planted(
      device,
      {.block = 32},
      [](auto& ctx, const PlantedArgs& a) { a.out[ctx.lane()] = ctx.to_tf32(a.in[ctx.lane()]); },
      {in.data(), out.data(), nullptr});
  const std::vector<float> got = out.read();
  EXPECT_EQ(got[6], INFINITY);
  EXPECT_EQ(got[8], 1.0f + 0x1p-10f);
  EXPECT_EQ(got[9], -1.0f - 0x1p-10f);
  EXPECT_EQ(got[10], 1.0f);
  for (const size_t i : {0, 1, 2, 3, 4, 5, 11}) {
    EXPECT_EQ(got[i], as_tf32(values[i])) << values[i];
  }
}

/// Row r of matrix m (8x8, 16-bit) lies at byte (m * 8 + r) * 16 and holds m * 64 + r * 8 + column.
template <class C>
auto fill_matrices(C& ctx) {
  auto s = ctx.template shared<uint16_t>(0, 256);
  for (int i = ctx.lane(); i < 256; i += 32) {
    s[i] = static_cast<uint16_t>(i);
  }
  ctx.warp_barrier();
  return s;
}

// PTX ISA, ldmatrix: row = lane / 4 of each matrix, elements lane % 4 * 2 and the next; with .trans
// the matrix is loaded in column-major format, so row and column change places. The rows of matrix
// m are named by lanes 8 m to 8 m + 7.
void expect_ldmatrix(const std::vector<float>& words, int matrices, bool transposed) {
  for (int lane = 0; lane < 32; ++lane) {
    for (int m = 0; m < matrices; ++m) {
      const auto got = std::bit_cast<uint32_t>(words[static_cast<size_t>(lane * 4 + m)]);
      const int row = lane / 4, column = lane % 4 * 2;
      const int step = transposed ? 8 : 1;
      const int first = m * 64 + (transposed ? column * 8 + row : row * 8 + column);
      EXPECT_EQ(got & 0xffff, static_cast<uint32_t>(first)) << lane << " " << m;
      EXPECT_EQ(got >> 16, static_cast<uint32_t>(first + step)) << lane << " " << m;
    }
  }
}

template <class F>
std::vector<float> words_of(F f) {
  SimtDevice device;
  const DeviceFloats out(device, std::vector<float>(128));
  run_planted(device, {.block = 32, .shared_bytes = 512}, f, {nullptr, out.data(), nullptr});
  return out.read();
}

TEST(SimtProduct, LoadsFourMatrices) {
  expect_ldmatrix(words_of([](auto& ctx, const PlantedArgs& a) {
                    uint32_t r[4];
                    ctx.ldmatrix_x4(r, fill_matrices(ctx) + 8 * ctx.lane());
                    std::memcpy(a.out + 4 * ctx.lane(), r, sizeof r);
                  }),
                  4,
                  false);
  expect_ldmatrix(words_of([](auto& ctx, const PlantedArgs& a) {
                    uint32_t r[4];
                    ctx.ldmatrix_x4_trans(r, fill_matrices(ctx) + 8 * ctx.lane());
                    std::memcpy(a.out + 4 * ctx.lane(), r, sizeof r);
                  }),
                  4,
                  true);
}

TEST(SimtProduct, LoadsTwoMatricesByTheFirstSixteenLanes) {
  expect_ldmatrix(words_of([](auto& ctx, const PlantedArgs& a) {
                    uint32_t r[2];
                    ctx.ldmatrix_x2(r, fill_matrices(ctx) + 8 * (ctx.lane() % 16));
                    std::memcpy(a.out + 4 * ctx.lane(), r, sizeof r);
                  }),
                  2,
                  false);
  expect_ldmatrix(words_of([](auto& ctx, const PlantedArgs& a) {
                    uint32_t r[2];
                    const auto s = fill_matrices(ctx);
                    // Lanes 16 to 31 name no row: theirs is never looked at.
                    ctx.ldmatrix_x2_trans(r, s + (ctx.lane() < 16 ? 8 * ctx.lane() : 255));
                    std::memcpy(a.out + 4 * ctx.lane(), r, sizeof r);
                  }),
                  2,
                  true);
}

}  // namespace
}  // namespace sv::simt
