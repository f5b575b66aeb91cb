// Activation patching: laws that hold for any weights, and planted models whose answer is known.
#include "interp/patching/patch.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "data/tasks.h"
#include "interp/planted.h"

namespace sv {
namespace {

using interp_test::planted_data;
using interp_test::planted_model;
using interp_test::random_looped;

PatchOptions options() {
  PatchOptions o;
  o.updates = {1, 2, 4};
  o.depth = 4;
  o.pairs = 12;
  o.rows = 7;
  o.run.threads = 2;
  return o;
}

PositionSet everywhere(int positions) {
  PositionSet all{"all", std::vector<int>(static_cast<size_t>(positions))};
  std::iota(all.positions.begin(), all.positions.end(), 0);
  return all;
}

TEST(Patch, ReplacingTheWholeStateToTheEndGivesTheDonorsAnswer) {
  TaskOptions small;
  small.size = 6;
  for (const char* name : {"permutation_power", "linked_list"}) {
    const Dataset data(make_task(name, small), Split::test, 1, 20);
    const auto model = random_looped(data.task(), {3, 5});
    PatchOptions o = options();
    o.sets = {everywhere(6)};
    o.when = When::Kind::clamp;
    const PatchResult r = patch(*model, data, o);
    EXPECT_TRUE(r.identity_checked);
    for (size_t m = 0; m < 2; ++m) {
      for (size_t u = 0; u < 3; ++u) {
        EXPECT_EQ(r.here.donor[m][u][0], 1) << name;
        EXPECT_EQ(r.here.clean[m][u][0], 0) << name;
        EXPECT_NEAR(r.recovery[u][0], 1, 1e-12) << name;
      }
    }
  }
}

TEST(Patch, AStateThatIsCarriedTurnsAtEveryUpdate) {
  const Dataset data = planted_data(20);
  const auto model = planted_model({1, 2, 3}, {});
  const PatchResult r = patch(*model, data, options());
  EXPECT_EQ(r.evidence.items, 12);
  for (size_t m = 0; m < 3; ++m) {
    for (size_t u = 0; u < 3; ++u) {
      EXPECT_EQ(r.by_relation_seed[m][u][0], 1);
    }
  }
  EXPECT_EQ(r.relations.front(), "the position");
  EXPECT_EQ(r.relations[1], "same place");
}

TEST(Patch, AStateThatIsRegeneratedForgetsAnEarlyPatchButNotAClamp) {
  const Dataset data = planted_data(20);
  interp_test::PlantedSettings regenerated;
  regenerated.carry = 0;
  regenerated.inject = 1;
  const auto model = planted_model({1, 2}, regenerated);
  PatchOptions o = options();
  PatchResult r = patch(*model, data, o);
  EXPECT_EQ(r.by_relation[0][0], 0);
  EXPECT_EQ(r.by_relation[1][0], 0);
  EXPECT_EQ(r.by_relation[2][0], 1);  // written after the last update: nothing can undo it
  o.when = When::Kind::window;
  o.window = 3;
  r = patch(*model, data, o);
  EXPECT_EQ(r.by_relation[0][0], 0);  // 1..3 of 4
  EXPECT_EQ(r.by_relation[1][0], 1);  // 2..4
  o.when = When::Kind::clamp;
  r = patch(*model, data, o);
  EXPECT_EQ(r.by_relation[0][0], 1);
}

TEST(Patch, DonorsThatShouldNotMatterDoNot) {
  const Dataset data = planted_data(30);
  const auto model = planted_model({1, 2}, {});
  const auto blank = planted_model({1, 2}, {1, 0, 1, 1});
  PatchOptions o = options();
  o.untrained = blank.get();
  const PatchResult r = patch(*model, data, o);
  ASSERT_EQ(r.controls.size(), 3U);
  for (const auto& row : r.controls[0].effect) {  // same answer: nothing may change
    for (const double v : row) {
      EXPECT_TRUE(std::isnan(v) || v == 0);
    }
  }
  double sum = 0;
  for (const auto& row : r.controls[1].effect) {
    sum += mean_of(row);
  }
  EXPECT_LT(sum / 3, 0.7);  // a random donor has the wanted symbol one time in four
  // A silent model answers the same for both: no answer is eligible.
  EXPECT_TRUE(std::isnan(mean_of(r.controls[2].effect[0])));
}

TEST(Patch, BothDirectionsTurnACarriedState) {
  const Dataset data = planted_data(20);
  const auto model = planted_model({1, 2}, {});
  PatchOptions o = options();
  o.direction = Direction::denoising;
  const PatchResult r = patch(*model, data, o);
  EXPECT_EQ(r.direction, "denoising");
  EXPECT_EQ(r.by_relation[0][0], 1);
}

TEST(Patch, DoesNotDependOnBatchThreadsOrPack) {
  TaskOptions small;
  small.size = 6;
  const Dataset data(make_task("linked_list", small), Split::test, 1, 20);
  const auto pack = random_looped(data.task(), {3, 5, 9});
  const auto alone = random_looped(data.task(), {5});
  PatchOptions o = options();
  const PatchResult a = patch(*pack, data, o);
  o.rows = 64;
  o.run.threads = 1;
  const PatchResult b = patch(*pack, data, o);
  const PatchResult c = patch(*alone, data, o);
  for (size_t u = 0; u < 3; ++u) {
    for (size_t s = 0; s < 6; ++s) {
      for (const auto* grids : {&b.here, &c.here}) {
        const size_t m = grids == &b.here ? 1 : 0;
        const double x = a.here.donor[1][u][s];
        const double y = grids->donor[m][u][s];
        EXPECT_TRUE(x == y || (std::isnan(x) && std::isnan(y)));
      }
    }
  }
}

TEST(Patch, ATaskWithoutNeighboursAndAWrongSiteAreNamed) {
  TaskOptions small;
  small.size = 6;
  const Dataset data(make_task("addition", {}), Split::test, 1, 10);
  const auto model = random_looped(data.task(), {1, 2});
  EXPECT_THROW(patch(*model, data, options()), Error);
  const Dataset lists(make_task("linked_list", small), Split::test, 1, 20);
  const auto list_model = random_looped(lists.task(), {1, 2});
  PatchOptions o = options();
  o.site = "readout.*.logits";
  EXPECT_THROW(patch(*list_model, lists, o), Error);
  o.site = "loop.*.state_ouch";
  EXPECT_THROW(patch(*list_model, lists, o), Error);
}

TEST(Counterfactual, NeighboursKeepTheLayoutAndChangeTheAnswer) {
  TaskOptions small;
  small.size = 6;
  TaskOptions four;
  four.size = 4;
  const std::vector<std::shared_ptr<const Task>> tasks = {make_task("sudoku", four),
                                                          make_task("linked_list", small),
                                                          make_task("permutation_power", small),
                                                          make_task("prefix_parity", small)};
  for (const auto& task : tasks) {
    int found = 0;
    for (uint64_t i = 0; i < 20; ++i) {
      const Example base = task->example(Split::train, 1, i);
      const auto other = task->counterfactual(base, 5, i);
      if (!other) {
        continue;
      }
      ++found;
      EXPECT_EQ(other->length, base.length);
      EXPECT_NE(other->tokens, base.tokens) << task->spec().name;
      EXPECT_NE(other->targets, base.targets) << task->spec().name;
      ASSERT_EQ(other->truths.size(), base.truths.size());
      EXPECT_EQ(task->counterfactual(base, 5, i)->tokens, other->tokens);
      for (size_t t = 0; t < base.targets.size(); ++t) {
        EXPECT_EQ(base.targets[t] < 0, other->targets[t] < 0);
      }
    }
    EXPECT_GT(found, 10) << task->spec().name;
  }
}

TEST(Counterfactual, ASudokuAndItsNeighbourAreOnePuzzleUpToNames) {
  TaskOptions four;
  four.size = 4;
  const auto task = make_task("sudoku", four);
  for (uint64_t i = 0; i < 20; ++i) {
    const Example base = task->example(Split::train, 1, i);
    const auto other = task->counterfactual(base, 5, i);
    ASSERT_TRUE(other);
    EXPECT_EQ(task->solution_key(base), task->solution_key(*other));
    EXPECT_EQ(base.difficulty, other->difficulty);
  }
}

TEST(Counterfactual, AListNeighbourHasOneEdgeMovedAndAsManyLists) {
  TaskOptions small;
  small.size = 8;
  const auto task = make_task("linked_list", small);
  for (uint64_t i = 0; i < 30; ++i) {
    const Example base = task->example(Split::train, 1, i);
    const auto other = task->counterfactual(base, 5, i);
    ASSERT_TRUE(other);
    int moved = 0;
    int ends = 0;
    std::array<int, 8> before{};
    for (size_t t = 0; t < 8; ++t) {
      moved += base.tokens[t] != other->tokens[t] ? 1 : 0;
      ends += (base.tokens[t] == static_cast<int>(t) ? 1 : 0) -
              (other->tokens[t] == static_cast<int>(t) ? 1 : 0);
      before[static_cast<size_t>(other->tokens[t])] +=
          other->tokens[t] == static_cast<int>(t) ? 0 : 1;
    }
    EXPECT_EQ(moved, 1);
    EXPECT_EQ(ends, 0);
    for (const int n : before) {
      EXPECT_LE(n, 1);  // still lists: nobody has two predecessors
    }
  }
}

}  // namespace
}  // namespace sv
