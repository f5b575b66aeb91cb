// Settings of training as text: each form means what it says, and a slip is a problem under its
// key.
#include "models/train/settings.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/check.h"

namespace sv {
namespace {

TEST(GradientText, EachFormNamesItsScheme) {
  using Kind = Gradient::Kind;
  const struct {
    const char* text;
    Kind kind;
    int k;
  } forms[] = {{"full", Kind::full, 1},
               {"one_step", Kind::one_step, 1},
               {"round", Kind::round, 0},
               {"last:4", Kind::last_k, 4},
               {"checkpoint:12", Kind::checkpoint, 12}};
  for (const auto& form : forms) {
    const Gradient got = parse_gradient(form.text);
    EXPECT_EQ(got.kind, form.kind) << form.text;
    EXPECT_EQ(got.k, form.k) << form.text;
  }
}

TEST(GradientText, AnythingElseIsRefusedWithTheText) {
  for (const std::string text : {"",
                                 "none",
                                 "last",
                                 "last:",
                                 "last:0",
                                 "last:-1",
                                 "last:4x",
                                 "checkpoint:two",
                                 "checkpoint:99999999999999999999"}) {
    try {
      parse_gradient(text);
      ADD_FAILURE() << "'" << text << "' is taken";
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find("'" + text + "'"), std::string::npos) << e.what();
    }
  }
}

TEST(TrainSettings, TensorCoresNeedADevice) {
  TrainSettings s;
  EXPECT_EQ(precision_of(s, nullptr), Precision::f32);
  Device* const device = reinterpret_cast<Device*>(&s);  // not looked at
  for (const auto& [text, want] : {std::pair{"f32", Precision::f32},
                                   std::pair{"tf32", Precision::tf32},
                                   std::pair{"bf16", Precision::bf16}}) {
    s.precision = text;
    EXPECT_EQ(precision_of(s, device), want);
  }
  try {
    precision_of(s, nullptr);
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("train.precision=bf16 needs a device"), std::string::npos)
        << e.what();
  }
}

TEST(TrainSettings, ASlipInTheSchemeIsAProblemOfItsKey) {
  TrainSettings s;
  Problems problems;
  problems.prefix = "train.";
  s.check(problems);
  EXPECT_TRUE(problems.list.empty());
  s.gradient = "lost:4";
  s.check(problems);
  ASSERT_EQ(problems.list.size(), 1u);
  EXPECT_EQ(problems.list[0].key, "train.gradient");
  EXPECT_NE(problems.list[0].message.find("lost:4"), std::string::npos);
}

/// So that a checkpoint of one optimiser is not gone on with by another.
TEST(TrainSettings, TheOptimiserIsPartOfTheDigest) {
  std::vector<std::string> digests;
  for (const std::string& name : optimiser_names()) {
    TrainSettings s;
    s.optimiser = name;
    EXPECT_TRUE(problems_of(s).empty()) << name;
    digests.push_back(digest_of(fields_of(s)));
  }
  std::ranges::sort(digests);
  EXPECT_EQ(std::ranges::adjacent_find(digests), digests.end());
  TrainSettings s;
  s.optimiser = "adam";
  EXPECT_EQ(problems_of(s).size(), 1u);
}

TEST(DepthSettings, ASlipInTheLawIsAProblemOfItsKey) {
  DepthSettings s;
  Problems problems;
  problems.prefix = "depth.";
  s.check(problems);
  EXPECT_TRUE(problems.list.empty());
  s.train = "4..2";
  s.check(problems);
  ASSERT_EQ(problems.list.size(), 1u);
  EXPECT_EQ(problems.list[0].key, "depth.train");
}

/// 0 stands for the bound of the rule, as the help text of `threshold` says; any other is taken.
TEST(HaltingRule, HasItsOwnBoundUnlessOneIsGiven) {
  using Kind = Halt::Kind;
  const struct {
    const char* rule;
    Kind kind;
    double bound;
  } rules[] = {{"change", Kind::change, 0.03},
               {"divergence", Kind::divergence, 1e-3},
               {"entropy", Kind::entropy, 1e-3},
               {"learned", Kind::learned, 0},
               {"sample", Kind::sample, 0},
               {"cdf", Kind::cdf, 0.5},
               {"patience", Kind::patience, 5},
               {"confident", Kind::confident, 0},
               {"oracle", Kind::oracle, 1}};
  EXPECT_EQ(std::size(rules) + 1, kHaltRules.size());
  for (const auto& rule : rules) {
    const Halt own = make_halt({rule.rule, 0, 3, 2});
    EXPECT_EQ(own.kind, rule.kind) << rule.rule;
    EXPECT_EQ(own.threshold, rule.bound) << rule.rule;
    EXPECT_EQ(own.min_depth, 3) << rule.rule;
    EXPECT_EQ(own.every, 2) << rule.rule;
    EXPECT_EQ(make_halt({rule.rule, 0.25, 1}).threshold, 0.25) << rule.rule;
  }
  EXPECT_EQ(make_halt({}).kind, Kind::none);
  EXPECT_THROW(make_halt({"never", 0, 1}), Error);
}

TEST(HaltSettings, ABoundThatMakesNoSenseIsAProblemOfItsKey) {
  const std::vector<HaltSettings> good = {
      {"change", -1}, {"cdf", 1}, {"patience", 3}, {"oracle", 0.5}};
  const std::vector<HaltSettings> bad = {{"sample", 0.5},
                                         {"confident", 1},
                                         {"cdf", 1.5},
                                         {"cdf", -0.1},
                                         {"patience", 2.5},
                                         {"patience", -1},
                                         {"oracle", -2}};
  for (const HaltSettings& s : good) {
    EXPECT_TRUE(problems_of(s).empty()) << s.rule;
  }
  for (const HaltSettings& s : bad) {
    const std::vector<Problem> problems = problems_of(s);
    ASSERT_EQ(problems.size(), 1u) << s.rule;
    EXPECT_EQ(problems[0].key, "threshold");
  }
}

}  // namespace
}  // namespace sv
