// Sudoku against brute force: a plain backtracking solver and rounds of singles over sets, sharing
// no code with the bit-mask solvers.
#include "data/sudoku.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "data/dataset.h"
#include "data/task_variants.h"

namespace sv {
namespace {

struct Plain {
  int n, box_rows, box_columns;
  std::vector<int> cells;

  explicit Plain(int side, std::vector<int> grid)
      : n(side),
        box_rows(side == 9 ? 3 : 2),
        box_columns(side == 4 ? 2 : 3),
        cells(std::move(grid)) {}

  bool sees(int a, int b) const {
    const int ra = a / n, ca = a % n, rb = b / n, cb = b % n;
    return a != b && (ra == rb || ca == cb ||
                      (ra / box_rows == rb / box_rows && ca / box_columns == cb / box_columns));
  }
  bool allowed(int cell, int v) const {
    for (int other = 0; other < n * n; ++other) {
      if (sees(cell, other) && cells[static_cast<size_t>(other)] == v) {
        return false;
      }
    }
    return true;
  }
  /// All solutions, first blank first.
  void solve(std::vector<std::vector<int>>* solutions) {
    for (int cell = 0; cell < n * n; ++cell) {
      int& value = cells[static_cast<size_t>(cell)];
      if (value == 0) {
        for (int v = 1; v <= n; ++v) {
          if (allowed(cell, v)) {
            value = v;
            solve(solutions);
          }
        }
        value = 0;
        return;
      }
    }
    solutions->push_back(cells);
  }
  /// Cells fixed by one parallel round of naked and hidden singles.
  std::map<int, int> singles() const {
    std::map<int, int> found;
    for (int cell = 0; cell < n * n; ++cell) {
      if (cells[static_cast<size_t>(cell)] != 0) {
        continue;
      }
      std::set<int> possible;
      for (int v = 1; v <= n; ++v) {
        if (allowed(cell, v)) {
          possible.insert(v);
        }
      }
      for (const int v : possible) {
        if (possible.size() == 1 || only_place(cell, v)) {
          found[cell] = v;
        }
      }
    }
    return found;
  }
  /// No other open cell of the row, of the column or of the box may hold v.
  bool only_place(int cell, int v) const {
    std::array<bool, 3> only{true, true, true};
    for (int other = 0; other < n * n; ++other) {
      if (other == cell || cells[static_cast<size_t>(other)] != 0 || !allowed(other, v)) {
        continue;
      }
      only[0] = only[0] && other / n != cell / n;
      only[1] = only[1] && other % n != cell % n;
      only[2] = only[2] && !(other / n / box_rows == cell / n / box_rows &&
                             other % n / box_columns == cell % n / box_columns);
    }
    return only[0] || only[1] || only[2];
  }
};

class SudokuOracle : public ::testing::TestWithParam<int> {};

/// Rounds and marks by sets; returns the grid as far as singles go.
void check_rounds(int n, const Task& task, const Example& e) {
  Plain plain(n, {e.tokens.begin(), e.tokens.end()});
  std::vector<int32_t> round_of(e.tokens.size(), -1);
  const int steps = task.spec().truths[0].steps;
  int round = 0;
  std::vector<std::vector<int>> marks;  // per round: cell * n + v - 1 -> 0/1, or -1
  for (auto found = plain.singles(); !found.empty(); found = plain.singles()) {
    std::vector<int> now(e.tokens.size() * static_cast<size_t>(n), -1);
    for (int cell = 0; cell < n * n; ++cell) {
      for (int v = 1; v <= n && plain.cells[static_cast<size_t>(cell)] == 0; ++v) {
        now[static_cast<size_t>(cell * n + v - 1)] = plain.allowed(cell, v) ? 1 : 0;
      }
    }
    marks.push_back(now);
    ++round;
    for (const auto& [cell, v] : found) {
      plain.cells[static_cast<size_t>(cell)] = v;
      round_of[static_cast<size_t>(cell)] = round;
    }
  }
  const bool solved = std::count(plain.cells.begin(), plain.cells.end(), 0) == 0;
  ASSERT_EQ(e.difficulty, solved ? std::min(round, steps + 1) : steps + 1);
  for (size_t cell = 0; cell < e.tokens.size(); ++cell) {
    ASSERT_EQ(e.position_difficulty[cell], solved ? round_of[cell] : -1);
    for (int s = 0; s < steps; ++s) {
      for (int v = 0; v < n; ++v) {
        const int expected = solved && s < round
                                 ? marks[static_cast<size_t>(s)]
                                        [cell * static_cast<size_t>(n) + static_cast<size_t>(v)]
                                 : -1;
        ASSERT_EQ(e.truths[static_cast<size_t>(v)][static_cast<size_t>(s) * e.tokens.size() + cell],
                  expected);
      }
    }
  }
}

TEST_P(SudokuOracle, AgreesOnSolutionsRoundsAndMarks) {
  const int n = GetParam();
  const auto task = make_task("sudoku", testing::with_size(n));
  for (const Split split : {Split::train, Split::test, Split::ood}) {
    for (int i = 0; i < (n == 9 ? 4 : 40) && task->count(split) != 0; ++i) {
      const Example e = task->example(split, 13, static_cast<uint64_t>(i));
      std::vector<std::vector<int>> solutions;
      Plain(n, {e.tokens.begin(), e.tokens.end()}).solve(&solutions);
      ASSERT_EQ(solutions.size(), 1u);
      for (size_t cell = 0; cell < e.tokens.size(); ++cell) {
        ASSERT_EQ(e.targets[cell], e.tokens[cell] != 0 ? -1 : solutions[0][cell] - 1);
      }
      check_rounds(n, *task, e);
      if (HasFatalFailure()) {
        FAIL() << e.canonical;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sides, SudokuOracle, ::testing::Values(4, 6, 9));

TEST(SudokuSolver, CountsSolutionsLikeBruteForce) {
  // Random partial grids of side 4, most with no or many solutions.
  const SudokuRules& rules = sudoku_rules(4);
  std::map<int, int> seen;
  for (uint64_t i = 0; i < 300; ++i) {
    RngCursor rng(Rng(1, stream_of("sudoku_test"), i));
    SudokuGrid grid = random_solution(rules, rng);
    for (int cell = 0; cell < 16; ++cell) {
      const size_t c = static_cast<size_t>(cell);
      grid[c] = rng.below(3) == 0 ? grid[c] : uint8_t{0};
    }
    if (i % 2 == 1) {
      grid[rng.below(16)] = static_cast<uint8_t>(1 + rng.below(4));  // often impossible
    }
    std::vector<std::vector<int>> solutions;
    Plain plain(4, {grid.begin(), grid.begin() + 16});
    bool clash = false;
    for (int cell = 0; cell < 16; ++cell) {
      const int v = plain.cells[static_cast<size_t>(cell)];
      clash = clash || (v != 0 && !plain.allowed(cell, v));
    }
    if (!clash) {
      plain.solve(&solutions);
    }
    const int expected = static_cast<int>(std::min<size_t>(solutions.size(), 5));
    ASSERT_EQ(count_solutions(rules, grid, 5, nullptr), expected) << sudoku_canonical(rules, grid);
    ++seen[std::min(expected, 2)];
  }
  EXPECT_EQ(seen.size(), 3u);  // none, one and several all occurred
}

TEST(SudokuGrids, OfSideFourAreTwelveUpToRenaming) {
  EXPECT_EQ(all_4x4_classes().size(), 12u);  // 288 / 4!
}

TEST(SudokuGrids, OfSideSixAreEquallyLikely) {
  // There are 28,200,960 / 6! = 39,168 classes; 12,000 uniform draws hit 39,168 (1 -
  // e^(-12000/39168)) = 10,337 of them.
  std::set<std::string> classes;
  for (uint64_t i = 0; i < 12000; ++i) {
    RngCursor rng(Rng(2, stream_of("sudoku_test"), i));
    classes.insert(sudoku_canonical(sudoku_rules(6), random_solution(sudoku_rules(6), rng)));
  }
  EXPECT_NEAR(static_cast<double>(classes.size()), 10337, 150);
}

TEST(SudokuSplits, KeepGridsOfSideFourApart) {
  const auto task = make_task("sudoku", testing::with_size(4));
  std::set<std::string> train, test;
  for (uint64_t i = 0; i < 1500; ++i) {
    train.insert(task->solution_key(task->example(Split::train, 1, i)));
    test.insert(task->solution_key(task->example(Split::test, 1, i)));
  }
  EXPECT_EQ(train.size(), 10u);
  EXPECT_EQ(test.size(), 2u);  // 48 of 288 grids
  for (const std::string& grid : test) {
    EXPECT_FALSE(train.contains(grid));
  }
}

TEST(SudokuSplits, ReportTheSolutionsTheyShare) {
  const auto six = make_task("sudoku"), four = make_task("sudoku", testing::with_size(4));
  const Dataset train(six, Split::train, 1, 3000), test(six, Split::test, 1, 500);
  std::set<std::string> known;
  for (int64_t i = 0; i < train.size(); ++i) {
    known.insert(six->solution_key(train[i]));
  }
  int shared = 0;
  for (int64_t i = 0; i < test.size(); ++i) {
    shared += known.contains(six->solution_key(test[i])) ? 1 : 0;
  }
  EXPECT_GT(shared, 0);
  EXPECT_DOUBLE_EQ(solution_overlap(train, test), shared / 500.0);
  EXPECT_EQ(
      solution_overlap(Dataset(four, Split::train, 1, 300), Dataset(four, Split::test, 1, 100)),
      0.0);
}

TEST(SudokuSplits, OfSideFourWithMoreCluesHaveFewCluesOutOfDistribution) {
  TaskOptions o = testing::with_size(4);
  o.min_clues = 6;
  const auto task = make_task("sudoku", o);
  for (uint64_t i = 0; i < 200; ++i) {
    for (const Split split : {Split::train, Split::ood}) {
      const Example e = task->example(split, 1, i);
      const auto blanks = std::count(e.tokens.begin(), e.tokens.end(), 0);
      ASSERT_EQ(split == Split::ood, 16 - blanks < 6);
    }
  }
}

TEST(SudokuClues, StayWithinTheRangeAsked) {
  TaskOptions o;
  o.min_clues = 13;
  o.max_clues = 15;
  const auto task = make_task("sudoku", o);
  for (const Split split : {Split::train, Split::ood}) {
    for (uint64_t i = 0; i < 60; ++i) {
      const Example e = task->example(split, 2, i);
      const auto clues = 36 - std::count(e.tokens.begin(), e.tokens.end(), 0);
      ASSERT_TRUE(clues >= 13 && clues <= 15) << clues;
    }
  }
}

}  // namespace
}  // namespace sv
