// Failed checks say values and place, or the expression where there are no values.
#include "core/check.h"

#include <gtest/gtest.h>

namespace sv {
namespace {

std::string message_of(auto&& action) {
  try {
    action();
  } catch (const Error& e) {
    return e.what();
  }
  return "nothing was thrown";
}

TEST(Check, LeadsWithTheSentenceAndNamesThePlace) {
  const int heads = 3;
  const std::string text = message_of([&] { SV_CHECK(heads % 2 == 0, "heads is ", heads); });
  EXPECT_EQ(text.find("heads is 3"), 0u) << text;
  EXPECT_NE(text.find("check_test.cpp:"), std::string::npos) << text;
}

TEST(Check, WorksWithoutFurtherArguments) {
  const bool ready = false;
  EXPECT_NE(message_of([&] { SV_CHECK(ready); }).find("ready"), std::string::npos);
}

TEST(CheckEq, PrintsBothValues) {
  const std::string text = message_of([] { SV_CHECK_EQ(2 + 2, 5, "arithmetic"); });
  EXPECT_NE(text.find("4 vs 5"), std::string::npos) << text;
  EXPECT_NE(text.find("arithmetic"), std::string::npos) << text;
}

TEST(CheckEq, EvaluatesItsArgumentsOnce) {
  int calls = 0;
  SV_CHECK_EQ(++calls, 1);
  EXPECT_EQ(calls, 1);
}

TEST(Fail, JoinsItsArgumentsAndMeansBadInput) {
  try {
    fail("no task '", "sudoku", "' of ", 3);
    FAIL();
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "no task 'sudoku' of 3");
    EXPECT_EQ(e.exit, Exit::input);
  }
}

TEST(Error, CarriesTheExitCodeItWasGiven) {
  EXPECT_EQ(Error("disk", Exit::environment).exit, Exit::environment);
  EXPECT_EQ(static_cast<int>(Exit::interrupted), 4);
}

}  // namespace
}  // namespace sv
