// One listing of fields gives parsing, checks, TOML, digest and help.
#include "core/fields.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "property.h"

namespace sv {
namespace {

struct Inner {
  int width = 64;
  std::vector<double> weights{0.5, 1};
  template <class V>
  void fields(V& v) {
    v("width", width, "width of the state", range(1, 4096), unit("channels"));
    v("weights", weights, "one per loop", range(0, 10));
  }
  void check(Problems& p) const {
    if (width % 2 != 0) {
      p.add("width", "must be even");
    }
  }
};

struct Settings {
  int steps = 1000;
  int64_t bytes = 1;
  uint64_t seed = 7;
  double lr = 3e-3;
  bool ema = false;
  std::string law = "constant";
  std::string name = "run";
  std::vector<int> test{1, 2, 4};
  std::vector<std::string> sites;
  int threads = 2;
  Inner model;
  template <class V>
  void fields(V& v) {
    v("steps", steps, "optimiser steps", range(1, 1e9), unit("steps"));
    v("bytes", bytes, "size");
    v("seed", seed, "seed of the model");
    v.group("model", model);
    v("lr", lr, "peak learning rate", range(0, 1));
    v("ema", ema, "average the weights");
    v("law", law, "learning-rate law", one_of({"constant", "linear"}));
    v("name", name, "free text");
    v("depth.test", test, "depths of the test", range(1, 100000), items(1, 5000));
    v("sites", sites, "where to record", one_of({"resid_out", "state_out"}));
    v("threads", threads, "threads", range(1, 1024), outside_digest());
  }
};

/// What assign_text says; "" when it is content.
std::string problem_of(Settings& settings, std::string_view key, std::string_view text) {
  const auto fields = fields_of(settings);
  return assign_text(*find_field(fields, key), text).value_or("");
}

TEST(Fields, ListsDottedKeysInOrder) {
  Settings s;
  const auto keys = keys_of(fields_of(s));
  ASSERT_EQ(keys.size(), 12u);
  EXPECT_EQ(keys[0], "steps");
  EXPECT_EQ(keys[3], "model.width");
  EXPECT_EQ(keys[5], "lr");
  EXPECT_EQ(keys[9], "depth.test");
}

TEST(Fields, AssignEveryTypeFromText) {
  Settings s;
  EXPECT_EQ(problem_of(s, "steps", " 2_000 "), "");
  EXPECT_EQ(problem_of(s, "bytes", "-9223372036854775808"), "");
  EXPECT_EQ(problem_of(s, "seed", "9223372036854775807"), "");
  EXPECT_EQ(problem_of(s, "lr", "1e-4"), "");
  EXPECT_EQ(problem_of(s, "ema", "true"), "");
  EXPECT_EQ(problem_of(s, "law", "linear"), "");
  EXPECT_EQ(problem_of(s, "name", "\"a b\""), "");
  EXPECT_EQ(problem_of(s, "depth.test", "1..3, 8,[0]"), "expects int, got '[0]'");
  EXPECT_EQ(problem_of(s, "depth.test", "1..3, 8"), "");
  EXPECT_EQ(problem_of(s, "sites", "[resid_out,state_out]"), "");
  EXPECT_EQ(problem_of(s, "model.weights", "1,0.25"), "");
  EXPECT_EQ(s.steps, 2000);
  EXPECT_EQ(s.bytes, std::numeric_limits<int64_t>::min());
  EXPECT_EQ(s.seed, 9223372036854775807u);
  EXPECT_EQ(s.lr, 1e-4);
  EXPECT_TRUE(s.ema);
  EXPECT_EQ(s.law, "linear");
  EXPECT_EQ(s.name, "a b");
  EXPECT_EQ(s.test, (std::vector<int>{1, 2, 3, 8}));
  EXPECT_EQ(s.sites, (std::vector<std::string>{"resid_out", "state_out"}));
  EXPECT_EQ(s.model.weights, (std::vector<double>{1, 0.25}));
}

TEST(Fields, RefuseTextOfTheWrongType) {
  Settings s;
  const std::string defaults = to_toml(fields_of(s));
  for (const auto& [key, text] :
       std::vector<std::pair<const char*, const char*>>{{"steps", "1e3"},
                                                        {"steps", "12x"},
                                                        {"steps", ""},
                                                        {"steps", "1__0"},
                                                        {"steps", "+"},
                                                        {"steps", "99999999999999999999"},
                                                        {"seed", "-1"},
                                                        {"lr", "fast"},
                                                        {"lr", "nan"},
                                                        {"lr", "inf"},
                                                        {"ema", "yes"},
                                                        {"ema", "1"},
                                                        {"depth.test", "1,,2"},
                                                        {"depth.test", "4..1"},
                                                        {"depth.test", "1.."},
                                                        {"depth.test", ""},
                                                        {"depth.test", "1..2000000000"},
                                                        {"model.weights", "a"}}) {
    EXPECT_NE(problem_of(s, key, text), "") << key << " = " << text;
  }
  EXPECT_EQ(to_toml(fields_of(s)), defaults);
}

TEST(Fields, RefuseValuesOutsideTheirRange) {
  Settings s;
  EXPECT_EQ(problem_of(s, "steps", "0"), "is 0, outside 1 .. 1e+09");
  EXPECT_EQ(problem_of(s, "lr", "1.5"), "is 1.5, outside 0 .. 1");
  EXPECT_EQ(problem_of(s, "depth.test", "1,0"), "entry 2 is 0, outside 1 .. 100000");
  EXPECT_EQ(problem_of(s, "depth.test", "[]"), "has 0 entries, 1 to 5000 are allowed");
  EXPECT_EQ(problem_of(s, "depth.test", "1..5001"), "has 5001 entries, 1 to 5000 are allowed");
  EXPECT_EQ(problem_of(s, "seed", "9223372036854775808").find("is above"), 0u);
  EXPECT_EQ(s.steps, 1000);
  EXPECT_EQ(s.test.size(), 3u);
}

TEST(Fields, NameTheNearestChoice) {
  Settings s;
  EXPECT_EQ(problem_of(s, "law", "lienar"),
            "is 'lienar', which is none of constant | linear, did you mean 'linear'?");
  EXPECT_EQ(
      problem_of(s, "sites", "resid_out,stat_out"),
      "entry 2 is 'stat_out', which is none of resid_out | state_out, did you mean 'state_out'?");
}

TEST(Fields, RefuseTextThatAFileCannotHold) {
  Settings s;
  EXPECT_EQ(problem_of(s, "name", "a\nb"), "contains a control character");
  EXPECT_NE(problem_of(s, "name", std::string(kMaxTextBytes + 1, 'x')), "");
  EXPECT_EQ(problem_of(s, "name", "\xff"), "is not valid UTF-8");
}

TEST(Fields, TakeTypedScalars) {
  Settings s;
  const auto fields = fields_of(s);
  const auto assign = [&](const char* key, Scalar value) {
    return assign_scalar(*find_field(fields, key), value).value_or("");
  };
  EXPECT_EQ(assign("lr", int64_t{1}), "");
  EXPECT_EQ(s.lr, 1.0);
  EXPECT_EQ(assign("depth.test", std::string("1..4")), "");
  EXPECT_EQ(s.test.size(), 4u);
  EXPECT_EQ(assign("steps", 1.5), "expects int, got the float 1.5");
  EXPECT_EQ(assign("steps", 2.0), "expects int, got the float 2.0");
  EXPECT_EQ(assign("steps", std::string("5")), "expects int, got the text '5'");
  EXPECT_EQ(assign("ema", int64_t{1}), "expects bool, got the int 1");
  EXPECT_EQ(assign("law", true), "expects text, got the bool true");
  EXPECT_EQ(assign("steps", int64_t{1} << 40),
            "is 1099511627776, outside -2147483648 .. 2147483647");
  EXPECT_EQ(assign("depth.test", int64_t{3}), "expects list of int, got the int 3");
  EXPECT_EQ(assign("sites", std::string("resid_out")),
            "expects list of text, got the text 'resid_out'");
}

TEST(Fields, TakeTypedLists) {
  Settings s;
  const auto fields = fields_of(s);
  const auto assign = [&](const char* key, std::vector<Scalar> values) {
    return assign_list(*find_field(fields, key), values).value_or("");
  };
  EXPECT_EQ(assign("depth.test", {int64_t{5}, int64_t{6}}), "");
  EXPECT_EQ(s.test, (std::vector<int>{5, 6}));
  EXPECT_EQ(assign("depth.test", {int64_t{5}, 1.0}), "entry 2 expects int, got the float 1.0");
  EXPECT_EQ(assign("steps", {int64_t{5}}), "expects int, got a list");
  EXPECT_EQ(assign("depth.test", std::vector<Scalar>(20000, int64_t{1})).find("has 10001 entries"),
            0u);
}

TEST(Fields, FindProblemsOfTheWholeStruct) {
  Settings s;
  EXPECT_TRUE(problems_of(s).empty());
  s.model.width = 33;
  s.lr = std::nan("");
  const auto problems = problems_of(s);
  ASSERT_EQ(problems.size(), 2u);
  EXPECT_EQ(problems[0].key, "lr");
  EXPECT_EQ(problems[1].key, "model.width");
  EXPECT_EQ(problems[1].message, "must be even");
}

TEST(Fields, PrintTomlWithTopKeysBeforeTables) {
  Settings s;
  EXPECT_EQ(
      to_toml(fields_of(s)),
      "steps = 1000\nbytes = 1\nseed = 7\nlr = 0.003\nema = false\nlaw = \"constant\"\n"
      "name = \"run\"\nsites = []\nthreads = 2\n\n[model]\nwidth = 64\nweights = [0.5, 1.0]\n\n"
      "[depth]\ntest = [1, 2, 4]\n");
}

TEST(Fields, EscapeQuotesAndBackslashes) {
  Settings s;
  s.name = R"(a"b\c)";
  const auto fields = fields_of(s);
  EXPECT_EQ(value_text(*find_field(fields, "name")), R"("a\"b\\c")");
}

TEST(Fields, DigestSeesEveryFieldThatMatters) {
  Settings base;
  const std::string digest = digest_of(fields_of(base));
  Settings other = base;
  other.threads = 9;
  EXPECT_EQ(digest_of(fields_of(other)), digest);
  other.model.weights[1] = std::nextafter(1.0, 2.0);
  EXPECT_NE(digest_of(fields_of(other)), digest);
}

struct Reordered {
  int b = 2, a = 1;
  bool swapped = false;
  template <class V>
  void fields(V& v) {
    if (swapped) {
      v("b", b, "");
    }
    v("a", a, "");
    if (!swapped) {
      v("b", b, "");
    }
  }
};

TEST(Fields, DigestDoesNotDependOnTheOrderOfListing) {
  Reordered one, two;
  two.swapped = true;
  EXPECT_EQ(canonical_text(fields_of(one)), "a = 1\nb = 2\n");
  EXPECT_EQ(digest_of(fields_of(one)), digest_of(fields_of(two)));
}

TEST(Fields, HelpShowsTypeUnitRangeAndDefault) {
  Settings s;
  const std::string help = help_table(fields_of(s));
  for (const char* text : {"key",
                           "optimiser steps",
                           "1 .. 1e+09",
                           "steps",
                           "list of int",
                           "[1, 2, 4]",
                           "constant | linear",
                           "model.width",
                           "channels"}) {
    EXPECT_NE(help.find(text), std::string::npos) << text << "\n" << help;
  }
  EXPECT_EQ(std::count(help.begin(), help.end(), '\n'), 13);
}

struct OneDouble {
  double x = 0;
  template <class V>
  void fields(V& v) {
    v("x", x, "");
  }
};

RC_GTEST_PROP(Fields, TextOfADoubleReadsBackToItsBits, (double x)) {
  OneDouble from, to;
  from.x = x;
  const auto a = fields_of(from);
  const auto b = fields_of(to);
  RC_ASSERT(!assign_text(b[0], value_text(a[0])));
  RC_ASSERT(std::signbit(to.x) == std::signbit(x));
  RC_ASSERT(to.x == x);
}

RC_GTEST_PROP(Fields, AnyTextIsTakenOrRefusedButNeverHalfTaken, (const std::string& text)) {
  Settings s;
  const std::string before = to_toml(fields_of(s));
  for (const Field& field : fields_of(s)) {
    if (assign_text(field, text)) {
      continue;
    }
    RC_ASSERT(!check_field(field));
    s = Settings();
  }
  RC_ASSERT(to_toml(fields_of(s)) == before);
}

}  // namespace
}  // namespace sv
