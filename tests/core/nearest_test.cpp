// The edit distance and the nearest name.
#include "core/nearest.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <vector>

#include "property.h"

namespace sv {
namespace {

const std::vector<std::string> kKeys{
    "model.width", "model.heads", "train.lr", "train.steps", "seeds"};

TEST(EditDistance, CountsSingleSlipsAsOne) {
  EXPECT_EQ(edit_distance("width", "width"), 0);
  EXPECT_EQ(edit_distance("widh", "width"), 1);
  EXPECT_EQ(edit_distance("widtth", "width"), 1);
  EXPECT_EQ(edit_distance("wifth", "width"), 1);
  EXPECT_EQ(edit_distance("widht", "width"), 1);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3);
  EXPECT_EQ(edit_distance("", "abc"), 3);
}

RC_GTEST_PROP(EditDistance, IsSymmetric, (const std::string& a, const std::string& b)) {
  RC_ASSERT(edit_distance(a, b) == edit_distance(b, a));
}

RC_GTEST_PROP(EditDistance,
              LiesBetweenLengthDifferenceAndLength,
              (const std::string& a, const std::string& b)) {
  const int d = edit_distance(a, b);
  RC_ASSERT(d >= std::abs(static_cast<int>(a.size()) - static_cast<int>(b.size())));
  RC_ASSERT(d <= static_cast<int>(std::max(a.size(), b.size())));
  RC_ASSERT((d == 0) == (a == b));
}

TEST(NearestName, FindsTheKeyBehindASlip) {
  EXPECT_EQ(nearest_name("model.widht", kKeys), "model.width");
  EXPECT_EQ(nearest_name("tran.steps", kKeys), "train.steps");
  EXPECT_EQ(nearest_name("seed", kKeys), "seeds");
}

TEST(NearestName, FindsADottedKeyByItsLastPart) {
  EXPECT_EQ(nearest_name("lr", kKeys), "train.lr");
  EXPECT_EQ(nearest_name("wdth", kKeys), "model.width");
  EXPECT_EQ(nearest_name("optimiser.steps", kKeys), "train.steps");
}

TEST(NearestName, IsEmptyWhenNothingIsNear) {
  EXPECT_EQ(nearest_name("zzzzzz", kKeys), "");
  EXPECT_EQ(nearest_name("", kKeys), "");
  EXPECT_EQ(nearest_name("x", std::vector<std::string>{"y"}), "");
  EXPECT_EQ(nearest_name(std::string(100000, 'a'), kKeys), "");
  EXPECT_EQ(nearest_name("seed", {}), "");
}

TEST(NearestName, PrefersTheSameFirstLetterInATie) {
  EXPECT_EQ(nearest_name("cat", std::vector<std::string>{"bat", "cut"}), "cut");
}

TEST(DidYouMean, IsTheEndOfAMessageOrNothing) {
  EXPECT_EQ(did_you_mean("sead", kKeys), "");
  EXPECT_EQ(did_you_mean("seads", kKeys), ", did you mean 'seeds'?");
}

}  // namespace
}  // namespace sv
