// Sudoku solvers and random grids, on bit masks of digits.
#include "data/sudoku.h"

#include <algorithm>

#include "core/check.h"

namespace sv {
namespace {

SudokuRules make_rules(int side, int box_rows, int box_columns) {
  SudokuRules r{side, side * side, box_rows, box_columns, {}};
  for (int cell = 0; cell < r.cells; ++cell) {
    const int row = cell / side, column = cell % side;
    const int box = (row / box_rows) * (side / box_columns) + column / box_columns;
    r.units[static_cast<size_t>(cell)] = {static_cast<uint8_t>(row),
                                          static_cast<uint8_t>(side + column),
                                          static_cast<uint8_t>(2 * side + box)};
  }
  return r;
}

/// The blank cell with the fewest marks.
int most_constrained(const SudokuState& state) {
  int best = -1, fewest = 10;
  for (int i = 0; i < state.blanks() && fewest > 1; ++i) {
    const int n = std::popcount(state.marks(state.blank(i)));
    if (n < fewest) {
      fewest = n;
      best = state.blank(i);
    }
  }
  return best;
}

/// The first two rows of a grid of side 6, all of them equally likely: the second has in each box
/// what the first has in the other.
SudokuGrid first_rows_of_six(RngCursor& rng) {
  std::array<uint8_t, 6> row{1, 2, 3, 4, 5, 6};
  rng.shuffle(row);
  std::array<uint8_t, 3> left{row[3], row[4], row[5]}, right{row[0], row[1], row[2]};
  rng.shuffle(left);
  rng.shuffle(right);
  SudokuGrid grid{};
  std::copy(row.begin(), row.end(), grid.begin());
  std::copy(left.begin(), left.end(), grid.begin() + 6);
  std::copy(right.begin(), right.end(), grid.begin() + 9);
  return grid;
}

/// Depth-first search below `state`, digits in ascending order, singles in between.
struct Search {
  const SudokuRules& rules;
  int limit;
  int found = 0;
  SudokuGrid first{};

  void run(SudokuState state) {
    while (state.ok() && state.fill_singles([](int) {}) > 0) {
    }
    if (!state.ok()) {
      return;
    }
    if (state.blanks() == 0) {
      if (found++ == 0) {
        first = state.grid();
      }
      return;
    }
    const int cell = most_constrained(state);
    const unsigned marks = state.marks(cell);
    for (unsigned left = marks; left != 0 && found < limit; left &= left - 1) {
      SudokuGrid next = state.grid();
      next[static_cast<size_t>(cell)] = static_cast<uint8_t>(std::countr_zero(left) + 1);
      run(SudokuState(rules, next));
    }
  }
};

}  // namespace

const SudokuRules& sudoku_rules(int side) {
  static const SudokuRules four = make_rules(4, 2, 2);
  static const SudokuRules six = make_rules(6, 2, 3);
  static const SudokuRules nine = make_rules(9, 3, 3);
  if (side == 4) {
    return four;
  }
  if (side == 6) {
    return six;
  }
  if (side != 9) {
    fail("sudoku: side 4, 6 or 9 is needed, got ", side);
  }
  return nine;
}

SudokuState::SudokuState(const SudokuRules& rules, const SudokuGrid& grid)
    : rules_(&rules), grid_(grid) {
  free_.fill(static_cast<uint16_t>((1u << rules.side) - 1));
  for (int cell = 0; cell < rules.cells; ++cell) {
    const uint8_t v = grid[static_cast<size_t>(cell)];
    if (v == 0) {
      blank_[static_cast<size_t>(blank_count_++)] = static_cast<uint8_t>(cell);
      continue;
    }
    const uint16_t bit = static_cast<uint16_t>(1u << (v - 1));
    ok_ = ok_ && (marks(cell) & bit) != 0;
    place(cell, bit);
  }
}

SinglesTrace solve_by_singles(const SudokuRules& rules, const SudokuGrid& puzzle) {
  SinglesTrace trace;
  trace.round.fill(-1);
  SudokuState state(rules, puzzle);
  while (state.ok() && state.blanks() > 0) {
    const int8_t round = static_cast<int8_t>(trace.rounds + 1);
    if (state.fill_singles([&](int cell) { trace.round[static_cast<size_t>(cell)] = round; }) ==
        0) {
      break;
    }
    ++trace.rounds;
  }
  trace.solved = state.ok() && state.blanks() == 0;
  trace.grid = state.grid();
  return trace;
}

int count_solutions(const SudokuRules& rules,
                    const SudokuGrid& puzzle,
                    int limit,
                    SudokuGrid* solution) {
  Search search{rules, limit};
  search.run(SudokuState(rules, puzzle));
  if (search.found > 0 && solution != nullptr) {
    *solution = search.first;
  }
  return search.found;
}

SudokuGrid random_solution(const SudokuRules& rules, RngCursor& rng) {
  // Always the most constrained cell, a random digit of its marks; a dead end starts again. A grid
  // comes with probability 1 / (product of the numbers of choices): accepting it in proportion to
  // that product makes all equally likely. 12288 is the largest product of side 6 below its first
  // two rows (0.1 % of 300,000 grids had it, 9 % are accepted).
  const double largest = rules.side == 6 ? 12288.0 : 0.0;
  while (true) {
    SudokuState state(rules, rules.side == 6 ? first_rows_of_six(rng) : SudokuGrid{});
    double product = 1;
    while (state.blanks() > 0) {
      const int cell = most_constrained(state);
      unsigned marks = state.marks(cell);
      if (marks == 0) {
        break;
      }
      const int choices = std::popcount(marks);
      product *= choices;
      for (uint32_t skip = choices > 1 ? rng.below(static_cast<uint32_t>(choices)) : 0; skip > 0;
           --skip) {
        marks &= marks - 1;
      }
      state.fill(cell, static_cast<uint16_t>(marks & -marks));
    }
    if (state.blanks() == 0 && (largest == 0.0 || rng.uniform() * largest < product)) {
      return state.grid();
    }
  }
}

std::vector<SudokuGrid> all_4x4_classes() {
  const SudokuRules& rules = sudoku_rules(4);
  std::vector<SudokuGrid> classes;
  // With the first row 1 2 3 4 each class appears once; the other 12 cells are found by trying all
  // digits.
  SudokuGrid grid{1, 2, 3, 4};
  const auto extend = [&](auto&& self, int cell) -> void {
    if (cell == rules.cells) {
      classes.push_back(grid);
      return;
    }
    for (uint8_t v = 1; v <= 4; ++v) {
      grid[static_cast<size_t>(cell)] = v;
      if (SudokuState(rules, grid).ok()) {
        self(self, cell + 1);
      }
    }
    grid[static_cast<size_t>(cell)] = 0;
  };
  extend(extend, 4);
  return classes;
}

std::string sudoku_canonical(const SudokuRules& rules, const SudokuGrid& grid) {
  std::array<char, 10> name{};
  char next = '1';
  std::string text(static_cast<size_t>(rules.cells), '.');
  for (size_t cell = 0; cell < text.size(); ++cell) {
    const uint8_t v = grid[cell];
    if (v != 0) {
      if (name[v] == 0) {
        name[v] = next++;
      }
      text[cell] = name[v];
    }
  }
  return text;
}

}  // namespace sv
