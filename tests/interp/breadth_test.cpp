// Breadth: choices among runs against a plain computation of each.
#include "interp/breadth.h"

#include <gtest/gtest.h>

#include "interp/evaluate.h"
#include "interp/planted.h"
#include "models/zoo.h"

namespace sv {
namespace {

/// A small model of two states with random starts, untrained.
std::unique_ptr<Reasoner> random_starts(const Task& task, const std::string& init) {
  ModelSettings s = family_settings("trm");
  s.width = 8;
  s.heads = 2;
  s.hidden = 6;
  s.inner = "1";
  s.prefix = 1;
  s.init = init;
  return make_reasoner({s, task.spec(), {3, 5}, DType::f32});
}

TEST(Breadth, ASingleRunIsThatOfEvaluation) {
  const Dataset data = interp_test::planted_data(40);
  const auto model = random_starts(data.task(), "random");
  BreadthOptions o;
  o.breadths = {1, 2, 5};
  o.depth = 3;
  const BreadthResult b = evaluate_breadth(*model, data, o);
  EvaluateOptions plain;
  plain.depths = {3};
  const DepthCurves curves = evaluate(*model, data, plain);
  for (size_t m = 0; m < 2; ++m) {
    for (const Grid* grid : {&b.single, &b.residual, &b.score, &b.vote, &b.any}) {
      EXPECT_EQ((*grid)[m][0], curves.exact[m][0]);
    }
  }
}

TEST(Breadth, ChoicesLieBetweenNothingAndTheBest) {
  const Dataset data = interp_test::planted_data(60);
  const auto model = random_starts(data.task(), "random");
  BreadthOptions o;
  o.breadths = {1, 4, 16};
  o.depth = 2;
  o.run.threads = 2;
  const BreadthResult b = evaluate_breadth(*model, data, o);
  EXPECT_EQ(b.evidence.items, 60);
  for (size_t m = 0; m < 2; ++m) {
    for (size_t k = 0; k < 3; ++k) {
      for (const Grid* grid : {&b.single, &b.residual, &b.score, &b.vote}) {
        EXPECT_LE((*grid)[m][k], b.any[m][k]);
      }
      EXPECT_GE(b.any[m][k], b.any[m][0]) << "more runs cannot be worse at best";
    }
  }
  o.run.threads = 1;
  o.run.batch = 7;
  const BreadthResult again = evaluate_breadth(*model, data, o);
  EXPECT_EQ(again.residual, b.residual);
  EXPECT_EQ(again.vote, b.vote);
}

TEST(Breadth, AModelWithNothingRandomIsRefused) {
  const Dataset data = interp_test::planted_data(4);
  const auto model = random_starts(data.task(), "fixed");
  BreadthOptions o;
  o.breadths = {2};
  try {
    evaluate_breadth(*model, data, o);
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("model.init=random"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace sv
