// Sudoku of side 4, 6 and 9: rules, the two solvers (rounds of singles; backtracking) and random
// grids. Digits are 1..n, 0 is a blank; digit v is bit v-1 of a mask.
#pragma once
#include <array>
#include <bit>
#include <cstdint>
#include <string>
#include <vector>

#include "core/rng.h"

namespace sv {

inline constexpr int kMaxSudokuCells = 81;
using SudokuGrid = std::array<uint8_t, kMaxSudokuCells>;  // row by row, the first n*n in use

struct SudokuRules {
  int side = 0;  // n: digits, rows, columns and boxes
  int cells = 0;
  int box_rows = 0, box_columns = 0;
  std::array<std::array<uint8_t, 3>, kMaxSudokuCells>
      units{};  // of a cell: row, n + column, 2n + box
};

/// Rules of side 4 (2x2 boxes), 6 (2x3) or 9 (3x3); another side throws.
const SudokuRules& sudoku_rules(int side);

/// Digits still free in each unit, kept up to date while cells are filled.
class SudokuState {
 public:
  /// `ok()` is false afterwards if a digit stands twice in a unit.
  SudokuState(const SudokuRules& rules, const SudokuGrid& grid);
  bool ok() const { return ok_; }
  int blanks() const { return blank_count_; }
  int blank(int i) const { return blank_[static_cast<size_t>(i)]; }
  const SudokuGrid& grid() const { return grid_; }
  /// Digits that no filled cell of the row, column or box rules out.
  uint16_t marks(int cell) const {
    const auto& u = rules_->units[static_cast<size_t>(cell)];
    return free_[u[0]] & free_[u[1]] & free_[u[2]];
  }
  /// Fills a blank cell.
  void fill(int cell, uint16_t digit_bit);
  /// Fills every cell that is a naked or a hidden single of the present state, all at once, and
  /// reports them by on_fill(cell). Returns how many; clears ok() on a contradiction.
  template <class OnFill>
  int fill_singles(OnFill&& on_fill);

 private:
  void place(int cell, uint16_t digit_bit);

  const SudokuRules* rules_;
  SudokuGrid grid_;
  std::array<uint16_t, 27> free_{};
  std::array<uint8_t, kMaxSudokuCells> blank_{};
  int blank_count_ = 0;
  bool ok_ = true;
};

/// The parallel rounds of naked and hidden singles.
struct SinglesTrace {
  bool solved = false;
  int rounds = 0;
  std::array<int8_t, kMaxSudokuCells>
      round{};        // in which a blank was filled, from 1; -1 for clues and unsolved
  SudokuGrid grid{};  // as far as singles go
};
SinglesTrace solve_by_singles(const SudokuRules& rules, const SudokuGrid& puzzle);

/// Number of solutions, counted up to `limit`; the first found goes to *solution. Complete:
/// backtracking on the cell with the fewest marks, singles in between.
int count_solutions(const SudokuRules& rules,
                    const SudokuGrid& puzzle,
                    int limit,
                    SudokuGrid* solution);

/// A random full grid: of side 6 all are equally likely, of side 9 all are possible.
SudokuGrid random_solution(const SudokuRules& rules, RngCursor& rng);

/// All full grids of side 4 up to renaming digits (12 of them, of 288).
std::vector<SudokuGrid> all_4x4_classes();

/// The grid with digits renamed in order of first appearance, as text with '.' for blanks.
std::string sudoku_canonical(const SudokuRules& rules, const SudokuGrid& grid);

template <class OnFill>
int SudokuState::fill_singles(OnFill&& on_fill) {
  std::array<uint16_t, 27> once{}, twice{};
  std::array<uint16_t, kMaxSudokuCells> mark;
  for (int i = 0; i < blank_count_; ++i) {
    const uint16_t m = mark[static_cast<size_t>(i)] = marks(blank(i));
    ok_ = ok_ && m != 0;
    for (const uint8_t unit : rules_->units[static_cast<size_t>(blank(i))]) {
      twice[unit] |= once[unit] & m;
      once[unit] |= m;
    }
  }
  int filled = 0, kept = 0;
  for (int i = 0; i < blank_count_; ++i) {
    const int cell = blank(i);
    uint16_t single = mark[static_cast<size_t>(i)];
    if (!std::has_single_bit(single)) {
      const auto& u = rules_->units[static_cast<size_t>(cell)];
      single &= static_cast<uint16_t>((once[u[0]] & ~twice[u[0]]) | (once[u[1]] & ~twice[u[1]]) |
                                      (once[u[2]] & ~twice[u[2]]));
    }
    if (single == 0) {
      blank_[static_cast<size_t>(kept++)] = static_cast<uint8_t>(cell);
      continue;
    }
    // Two hidden singles in one cell, or one digit twice in a unit in the same round: no solution.
    ok_ = ok_ && std::has_single_bit(single) && (single & marks(cell)) != 0;
    place(cell, single);
    on_fill(cell);
    ++filled;
  }
  blank_count_ = kept;
  return filled;
}

inline void SudokuState::place(int cell, uint16_t digit_bit) {
  grid_[static_cast<size_t>(cell)] = static_cast<uint8_t>(std::countr_zero(digit_bit) + 1);
  for (const uint8_t unit : rules_->units[static_cast<size_t>(cell)]) {
    free_[unit] &= static_cast<uint16_t>(~digit_bit);
  }
}

inline void SudokuState::fill(int cell, uint16_t digit_bit) {
  place(cell, digit_bit);
  for (int i = 0; i < blank_count_; ++i) {
    if (blank(i) == cell) {
      blank_[static_cast<size_t>(i)] = blank_[static_cast<size_t>(--blank_count_)];
      return;
    }
  }
}

}  // namespace sv
