// Mazes against an independent solver: distances by relaxation until nothing changes, read from the
// text of the tokens; perfection by counting cells and openings.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "core/check.h"
#include "data/real_data.h"
#include "data/task_of.h"
#include "data/task_variants.h"

namespace sv {
namespace {

struct Board {
  int side = 0;
  std::string text;
  int start = 0, goal = 0;
};

Board board(const Task& task, const std::vector<int32_t>& cells) {
  Board b;
  for (const int32_t cell : cells) {
    b.text += task.token_text(cell);
  }
  while (b.side * b.side < static_cast<int>(cells.size())) {
    ++b.side;
  }
  b.start = static_cast<int>(b.text.find('S'));
  b.goal = static_cast<int>(b.text.find('G'));
  return b;
}

std::vector<int> neighbours(const Board& b, int cell) {
  std::vector<int> found;
  for (const int step : {-b.side, -1, 1, b.side}) {
    const int to = cell + step;
    const bool same_row = to / b.side == cell / b.side;
    if (to >= 0 && to < b.side * b.side && (std::abs(step) == b.side || same_row) &&
        b.text[static_cast<size_t>(to)] != '#') {
      found.push_back(to);
    }
  }
  return found;
}

constexpr int kFar = 1 << 20;

std::vector<int> relax(const Board& b, int from) {
  std::vector<int> d(b.text.size(), kFar);
  d[static_cast<size_t>(from)] = 0;
  for (bool changed = true; changed;) {
    changed = false;
    for (int cell = 0; cell < b.side * b.side; ++cell) {
      if (b.text[static_cast<size_t>(cell)] == '#') {
        continue;
      }
      for (const int to : neighbours(b, cell)) {
        if (d[static_cast<size_t>(to)] + 1 < d[static_cast<size_t>(cell)]) {
          d[static_cast<size_t>(cell)] = d[static_cast<size_t>(to)] + 1;
          changed = true;
        }
      }
    }
  }
  return d;
}

/// Targets and truths of an example whose shortest path is unique.
void expect_solved(const Task& task, const Example& e) {
  const Board b = board(task, e.tokens);
  const std::vector<int> from = relax(b, b.start), to = relax(b, b.goal);
  const int length = from[static_cast<size_t>(b.goal)];
  ASSERT_EQ(e.difficulty, length);
  const int steps = task.spec().truths[0].steps;
  ASSERT_LE(length, 2 << (steps - 1));
  for (size_t c = 0; c < b.text.size(); ++c) {
    const bool open = b.text[c] != '#', on = open && from[c] + to[c] == length;
    const bool end = b.text[c] == 'S' || b.text[c] == 'G';
    ASSERT_EQ(task.answer_text(e.targets[c]), on && !end ? "o" : std::string(1, b.text[c]));
    for (int s = 0; s < steps; ++s) {
      ASSERT_EQ(e.truths[0][static_cast<size_t>(s) * b.text.size() + c],
                !open                 ? -1
                : from[c] <= (2 << s) ? 1
                                      : 0);
    }
    ASSERT_EQ(e.truths[1][c], open && from[c] < kFar ? from[c] : -1);
    ASSERT_EQ(e.truths[2][c], open ? (on ? 1 : 0) : -1);
  }
}

class GeneratedMaze : public ::testing::TestWithParam<int> {};

TEST_P(GeneratedMaze, IsPerfectAndSolved) {
  const int side = GetParam();
  const auto task = make_task("maze", testing::with_size(side));
  std::set<int> lengths;
  for (const Split split : {Split::train, Split::test, Split::ood}) {
    for (uint64_t i = 0; i < (side == 30 ? 15u : 60u); ++i) {
      const Example e = task->example(split, 4, i);
      expect_solved(*task, e);
      if (HasFatalFailure()) {
        FAIL() << split_name(split) << " example " << i;
      }
      const Board b = board(*task, e.tokens);
      const std::vector<int> from = relax(b, b.start);
      int cells = 0, openings = 0;
      for (int cell = 0; cell < side * side; ++cell) {
        if (b.text[static_cast<size_t>(cell)] != '#') {
          ASSERT_LT(from[static_cast<size_t>(cell)], kFar);  // all in one piece,
          openings += static_cast<int>(neighbours(b, cell).size());
          ++cells;
        }
      }
      ASSERT_EQ(openings, 2 * (cells - 1));  // and no ring: a tree
      lengths.insert(e.difficulty);
      if (side == 30) {  // the parameters of Maze-Unique
        ASSERT_EQ(split == Split::ood, e.difficulty > 140);
        ASSERT_GE(e.difficulty, 100);
      }
    }
  }
  EXPECT_GE(lengths.size(), side == 5 ? 3u : 4u);
}

INSTANTIATE_TEST_SUITE_P(Sides, GeneratedMaze, ::testing::Values(5, 6, 9, 15, 30));

TEST(Maze, DrawsEveryLengthAboutEquallyOften) {
  TaskOptions o = testing::with_size(9);
  o.min_path = 6;
  o.max_path = 15;
  const auto task = make_task("maze", o);
  std::vector<int> drawn(16, 0);
  for (uint64_t i = 0; i < 1000; ++i) {
    ++drawn[static_cast<size_t>(task->example(Split::train, 1, i).difficulty)];
  }
  for (size_t length = 6; length <= 15; ++length) {
    EXPECT_NEAR(drawn[length], 100, 40) << length;  // 4 standard deviations
  }
}

TEST(Maze, MovesOneEndForACounterfactual) {
  const auto task = make_task("maze", testing::with_size(9));
  for (uint64_t i = 0; i < 60; ++i) {
    const Example e = task->example(Split::test, 1, i);
    const auto other = task->counterfactual(e, 3, i);
    ASSERT_TRUE(other.has_value());
    expect_solved(*task, *other);
    const Board a = board(*task, e.tokens), b = board(*task, other->tokens);
    ASSERT_NE(a.start == b.start, a.goal == b.goal);
    for (size_t c = 0; c < a.text.size(); ++c) {
      ASSERT_EQ(a.text[c] == '#', b.text[c] == '#');
    }
    ASSERT_NE(e.targets, other->targets);
  }
}

TEST(Maze, RefusesLengthsThatItCannotDraw) {
  TaskOptions o = testing::with_size(9);
  o.max_path = 21;
  EXPECT_THROW(make_task("maze", o), Error);
  o.max_path = 8;
  o.min_path = 9;
  EXPECT_THROW(make_task("maze", o), Error);
}

TEST(RealMaze, HasTheShortestPathsThatItsAnswersMark) {
  SV_REAL_FILE(train, "maze/maze_hard_30x30_train.tsv");
  SV_REAL_FILE(test, "maze/maze_hard_30x30_test_first800.tsv");
  TaskOptions o;
  o.file = train;
  o.ood_file = test;
  const auto task = make_task("maze", o);  // checks every answer
  EXPECT_EQ(task->count(Split::train) + task->count(Split::test), 1000);
  EXPECT_EQ(task->count(Split::ood), 800);  // no maze is in both files
  EXPECT_EQ(task->spec().max_difficulty, 153);
  for (uint64_t i = 0; i < 40; ++i) {
    const Example e = task->example(Split::ood, 0, i);
    const Board b = board(*task, e.tokens);
    const std::vector<int> from = relax(b, b.start), to = relax(b, b.goal);
    ASSERT_EQ(e.difficulty, from[static_cast<size_t>(b.goal)]);
    int marked = 0;
    for (size_t c = 0; c < b.text.size(); ++c) {
      const std::string answer = task->answer_text(e.targets[c]);
      marked += answer == "o" ? 1 : 0;
      ASSERT_TRUE(answer == "o" ? b.text[c] == '.' && from[c] + to[c] == e.difficulty
                                : answer[0] == b.text[c]);
    }
    ASSERT_EQ(marked, e.difficulty - 1);
  }
}

}  // namespace
}  // namespace sv
