// Element types; bf16 rounding against nearest-even done in double.
#include "core/dtype.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/rng.h"

namespace sv {
namespace {

/// The two bf16 neighbours of x by truncation; the nearer one, or the even one in a tie.
float nearest_even(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  const float toward_zero = std::bit_cast<float>(bits & 0xffff0000u);
  const float away = std::bit_cast<float>((bits & 0xffff0000u) + 0x10000u);
  const double below = std::fabs(double{x} - double{toward_zero});
  // Beyond the largest bf16 the next step is 2^128, which only double can hold.
  const double next = std::isinf(away) ? std::copysign(0x1p128, double{x}) : double{away};
  const double above = std::fabs(next - double{x});
  if (below != above) {
    return below < above ? toward_zero : away;
  }
  return ((bits >> 16) & 1u) == 0 ? toward_zero : away;
}

TEST(Bf16, RoundsToNearestEven) {
  const Rng rng(1, stream_of("bf16"));
  for (uint64_t i = 0; i < 100000; ++i) {
    uint32_t bits = rng.bits(i);
    if (i % 4 == 0) {
      bits = (bits & 0xffff0000u) | 0x8000u;  // ties
    }
    const float x = std::bit_cast<float>(bits);
    if (std::isfinite(x)) {
      ASSERT_EQ(std::bit_cast<uint32_t>(static_cast<float>(bf16(x))),
                std::bit_cast<uint32_t>(nearest_even(x)))
          << x;
    }
  }
}

TEST(Bf16, KeepsNanInfinityAndSignedZero) {
  const float inf = std::numeric_limits<float>::infinity();
  EXPECT_EQ(static_cast<float>(bf16(inf)), inf);
  EXPECT_EQ(static_cast<float>(bf16(-inf)), -inf);
  EXPECT_TRUE(std::signbit(static_cast<float>(bf16(-0.0f))));
  // A NaN whose payload is in the lower half must not become an infinity.
  EXPECT_TRUE(std::isnan(static_cast<float>(bf16(std::bit_cast<float>(0x7f800001u)))));
  EXPECT_TRUE(std::isnan(static_cast<float>(bf16(std::bit_cast<float>(0xffffffffu)))));
}

TEST(Bf16, OverflowsToInfinityAboveItsLargestValue) {
  EXPECT_TRUE(std::isinf(static_cast<float>(bf16(std::numeric_limits<float>::max()))));
}

TEST(Dtype, HasTheSizeOfItsElement) {
  EXPECT_EQ(dtype_size(DType::f32), sizeof(float));
  EXPECT_EQ(dtype_size(DType::f64), sizeof(double));
  EXPECT_EQ(dtype_size(DType::bf16), sizeof(bf16));
  EXPECT_EQ(dtype_size(DType::i32), sizeof(int32_t));
}

TEST(Dtype, HasANameAndAType) {
  EXPECT_EQ(dtype_name(dtype_of<float>), "f32");
  EXPECT_EQ(dtype_name(dtype_of<double>), "f64");
  EXPECT_EQ(dtype_name(dtype_of<bf16>), "bf16");
  EXPECT_EQ(dtype_name(dtype_of<int32_t>), "i32");
}

TEST(WithFloat, CallsTheInstanceOfTheType) {
  const auto size = []<class T>() { return sizeof(T); };
  EXPECT_EQ(with_float(DType::f32, size), 4u);
  EXPECT_EQ(with_float(DType::f64, size), 8u);
  EXPECT_THROW(with_float(DType::i32, size), Error);
}

}  // namespace
}  // namespace sv
