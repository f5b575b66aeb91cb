// Philox against the known answers of Random123 1.14 (kat_vectors, philox4x32 with 10 rounds), and
// the addressing.
#include "core/rng.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <vector>

namespace sv {
namespace {

TEST(Philox, GivesTheKnownAnswerForZeros) {
  EXPECT_EQ(Philox::block({0, 0, 0, 0}, {0, 0}),
            (Philox::Counter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
}

TEST(Philox, GivesTheKnownAnswerForOnes) {
  EXPECT_EQ(Philox::block({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}),
            (Philox::Counter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
}

TEST(Philox, GivesTheKnownAnswerForDigitsOfPi) {
  EXPECT_EQ(
      Philox::block({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
      (Philox::Counter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Rng, IsTheBlockAtItsAddress) {
  const uint64_t seed = 0x123456789abcdef0;
  const Rng rng(seed, 77, 5);
  const auto block = Philox::block({9, 5, 0, 77}, {0x9abcdef0, 0x12345678});
  for (uint64_t lane = 0; lane < 4; ++lane) {
    EXPECT_EQ(rng.bits(4 * 9 + lane), block[lane]);
  }
}

TEST(Rng, DependsOnEveryPartOfItsAddress) {
  std::set<uint32_t> values;
  for (const uint64_t seed : {1ull, 2ull, 1ull << 32}) {
    for (const uint32_t stream : {0u, 1u}) {
      for (const uint64_t step : {0ull, 1ull, 1ull << 32}) {
        for (const uint64_t index : {0ull, 1ull, 4ull, 1ull << 34}) {
          values.insert(Rng(seed, stream, step).bits(index));
        }
      }
    }
  }
  // Steps and indices are promised 32 bits (of blocks): beyond, their high halves meet in one
  // counter word, so of this grid two pairs coincide in each of the 6 (seed, stream) pairs.
  EXPECT_EQ(values.size(), 3u * 2 * 3 * 4 - 12);
}

TEST(Rng, DrawsUniformNumbersOfTheRightMoments) {
  const Rng rng(3, stream_of("moments"));
  constexpr int n = 20000;
  double sum = 0, squares = 0;
  for (int i = 0; i < n; ++i) {
    const double u = rng.uniform(static_cast<uint64_t>(i));
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
    sum += u;
    squares += u * u;
  }
  // Five standard errors of the mean (sqrt(1/12n)) and of the second moment (sqrt(4/45n)).
  EXPECT_NEAR(sum / n, 0.5, 5 * 0.00205);
  EXPECT_NEAR(squares / n, 1.0 / 3, 5 * 0.0022);
}

TEST(Rng, DrawsNormalNumbersOfTheRightMoments) {
  const Rng rng(4, stream_of("moments"));
  constexpr int n = 20000;
  double sum = 0, squares = 0;
  for (int i = 0; i < n; ++i) {
    const double x = rng.normal(static_cast<uint64_t>(i));
    ASSERT_TRUE(std::isfinite(x));
    sum += x;
    squares += x * x;
  }
  EXPECT_NEAR(sum / n, 0, 5 * 0.0071);
  EXPECT_NEAR(squares / n, 1, 5 * 0.01);
}

TEST(Rng, BelowStaysBelow) {
  const Rng rng(5, 0);
  std::vector<int> count(7);
  for (uint64_t i = 0; i < 7000; ++i) {
    ++count.at(rng.below(i, 7));
  }
  EXPECT_GT(*std::ranges::min_element(count), 850);  // 1000 expected, standard deviation 29
}

TEST(RngCursor, ShufflesIntoAPermutationThatItsSeedDecides) {
  const auto shuffled = [](uint64_t seed) {
    std::vector<int> v(50);
    std::iota(v.begin(), v.end(), 0);
    RngCursor(Rng(seed, 1)).shuffle(v);
    return v;
  };
  std::vector<int> sorted = shuffled(1);
  std::ranges::sort(sorted);
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(sorted[static_cast<size_t>(i)], i);
  }
  EXPECT_EQ(shuffled(1), shuffled(1));
  EXPECT_NE(shuffled(1), shuffled(2));
}

TEST(StreamOf, IsFnv1a) {
  EXPECT_EQ(stream_of(""), 0x811c9dc5u);
  EXPECT_EQ(stream_of("a"), 0xe40c292cu);
  EXPECT_EQ(stream_of("foobar"), 0xbf9cf968u);  // values of the FNV reference page
}

TEST(Rng, NormalsInARowAreThoseOneByOne) {
  const Rng rng(7, stream_of("row"), (uint64_t{3} << 32) + 5);
  for (const uint64_t first : {uint64_t{0}, uint64_t{1}, (uint64_t{1} << 34) - 3}) {
    for (const int64_t count : {0, 1, 2, 7, 8}) {
      std::vector<double> row(static_cast<size_t>(count));
      rng.normals(first, count, row.data());
      for (int64_t i = 0; i < count; ++i) {
        EXPECT_EQ(row[static_cast<size_t>(i)], rng.normal(first + static_cast<uint64_t>(i)));
      }
    }
  }
}

}  // namespace
}  // namespace sv
