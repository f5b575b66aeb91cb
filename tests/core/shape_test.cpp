// Shapes: rank, sizes, equality and the errors about them.
#include "core/shape.h"

#include <gtest/gtest.h>

namespace sv {
namespace {

TEST(Shape, CountsItsElements) {
  EXPECT_EQ((Shape{4, 3, 2}).numel(), 24);
  EXPECT_EQ((Shape{4, 0, 2}).numel(), 0);
  EXPECT_EQ(Shape{}.numel(), 1);
}

TEST(Shape, IndexesFromBothEnds) {
  const Shape s{4, 3, 2};
  EXPECT_EQ(s[0], 4);
  EXPECT_EQ(s[-1], 2);
  EXPECT_EQ(s[-3], 4);
  EXPECT_THROW(s[3], Error);
  EXPECT_THROW(s[-4], Error);
}

TEST(Shape, ReplacesOneDimension) {
  const Shape s{4, 3, 2};
  EXPECT_EQ(s.with(-1, 7), (Shape{4, 3, 7}));
  EXPECT_EQ(s.with(0, 1), (Shape{1, 3, 2}));
  EXPECT_THROW(s.with(3, 1), Error);
}

TEST(Shape, LosesItsLastDimension) {
  EXPECT_EQ((Shape{4, 3, 2}).without_last(), (Shape{4, 3}));
  EXPECT_EQ(Shape{4}.without_last(), Shape{});
  EXPECT_THROW(Shape{}.without_last(), Error);
}

TEST(Shape, DiffersByRankAsWellAsBySize) {
  EXPECT_EQ((Shape{2, 3}), (Shape{2, 3}));
  EXPECT_NE((Shape{2, 3}), (Shape{3, 2}));
  EXPECT_NE((Shape{2, 3}), (Shape{2, 3, 1}));
}

TEST(Shape, RefusesNegativeSizesAndHighRank) {
  EXPECT_THROW((Shape{2, -1}), Error);
  EXPECT_THROW(Shape(std::vector<int64_t>(7, 1)), Error);
  EXPECT_EQ(Shape(std::vector<int64_t>(6, 2)).numel(), 64);
}

TEST(Shape, ReturnsItsSizes) {
  EXPECT_EQ((Shape{5, 6}).to_vector(), (std::vector<int64_t>{5, 6}));
}

TEST(ExpectShape, NamesTheArgumentAndBothShapes) {
  EXPECT_NO_THROW(expect_shape({2, 3}, {2, 3}, "x"));
  try {
    expect_shape({2, 3}, {2, 4}, "weight");
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("weight has shape (2, 3), expected (2, 4)"),
              std::string::npos)
        << e.what();
  }
}

}  // namespace
}  // namespace sv
