// Sudoku: every blank cell asks for its digit. Truths are the pencil marks at the start of each
// round of singles.
#include "data/sudoku.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "data/lines.h"
#include "data/task_of.h"
#include "data/task_options.h"

namespace sv {
namespace {

struct Puzzle {
  SudokuGrid clues{};
  int rating = -1;    // tenths, from a rated list
  std::string where;  // "file:line" of a real puzzle
};

/// What is asked of generated puzzles, by side. Rounds: truths are kept for that many, training
/// stays within. Measured over 20,000 generated 6x6 puzzles: 99.9 % need at most 8 rounds; no 4x4
/// puzzle of 4-8 clues needs more than 3; 99.8 % of 9x9 puzzles of 26-36 clues at most 16.
struct Defaults {
  int min_clues, max_clues, rounds;
};
Defaults defaults_of(int side) {
  return side == 4 ? Defaults{4, 8, 3} : side == 6 ? Defaults{11, 18, 8} : Defaults{26, 36, 16};
}

class Sudoku final : public TaskOf<Puzzle> {
 public:
  explicit Sudoku(const TaskOptions& o)
      : rules_(sudoku_rules(option(o.size, o.file.empty() ? 6 : 9, 4, 9, "size"))) {
    const Defaults d = defaults_of(rules_.side);
    rounds_ = d.rounds;
    min_clues_ = option(o.min_clues, d.min_clues, 1, rules_.cells - 1, "min_clues");
    max_clues_ = option(
        o.max_clues, std::max(d.max_clues, min_clues_), min_clues_, rules_.cells - 1, "max_clues");
    describe();
    hold_out_4x4_grids();
    read_files(o);
  }

  std::string token_text(int id) const override { return id == 0 ? "." : std::to_string(id); }
  std::string answer_text(int id) const override { return std::to_string(id + 1); }

  std::string solution_key(const Example& e) const override {
    SudokuGrid grid{};
    for (size_t cell = 0; cell < e.tokens.size(); ++cell) {
      grid[cell] = static_cast<uint8_t>(e.tokens[cell] != 0 ? e.tokens[cell] : e.targets[cell] + 1);
    }
    return sudoku_canonical(rules_, grid);
  }

  /// Two digits that some blank cell answers change names, everywhere: layout, difficulty and all
  /// other digits stay.
  std::optional<Example> counterfactual(const Example& e,
                                        uint64_t seed,
                                        uint64_t index) const override {
    std::vector<int32_t> digits;
    for (int32_t v = 0; v < rules_.side; ++v) {
      if (std::find(e.targets.begin(), e.targets.end(), v) != e.targets.end()) {
        digits.push_back(v + 1);
      }
    }
    if (digits.size() < 2) {
      return std::nullopt;
    }
    RngCursor rng(Rng(seed, stream_of("counterfactual.sudoku"), index));
    rng.shuffle(digits);
    Puzzle p;
    for (size_t cell = 0; cell < e.tokens.size(); ++cell) {
      const int32_t v = e.tokens[cell];
      p.clues[cell] = static_cast<uint8_t>(v == digits[0]   ? digits[1]
                                           : v == digits[1] ? digits[0]
                                                            : v);
    }
    Example out = work_out(p);
    out.difficulty = e.difficulty;  // a rating is the puzzle's, not its digits'
    out.canonical = e.canonical;
    return out;
  }

  std::vector<std::string> notes() const override {
    std::vector<std::string> notes{rules_.side == 4
                                       ? "4x4: 48 of the 288 complete grids (2 of 12 up to "
                                         "renaming digits) are never used in training"
                                       : "train and test share no puzzle up to renaming digits; "
                                         "solutions may be shared (see the overlap)"};
    if (left_out_ > 0) {
      notes.push_back("ood_file: " + std::to_string(left_out_) +
                      " puzzles also stand in file and are left out");
    }
    return notes;
  }

 protected:
  std::optional<Puzzle> draw(RngCursor& rng, bool ood) const override {
    const SudokuGrid full =
        rules_.side == 4 ? classes_[rng.below(12)] : random_solution(rules_, rng);
    std::vector<uint8_t> order(static_cast<size_t>(rules_.cells));
    for (size_t i = 0; i < order.size(); ++i) {
      order[i] = static_cast<uint8_t>(i);
    }
    rng.shuffle(order);
    if (ood && rules_.side != 4) {
      return beyond_singles(full, order, rng);
    }
    const int low = ood ? kFewestClues4x4 : min_clues_, high = ood ? min_clues_ - 1 : max_clues_;
    const int target = low + static_cast<int>(rng.below(static_cast<uint32_t>(high - low + 1)));
    Puzzle p{full, -1, {}};
    const int clues = dig(p.clues, full, order, target, [&](const SudokuGrid& g) {
      return solve_by_singles(rules_, g).solved;
    });
    // 4x4: every puzzle with one solution is solvable by singles (all 12 x 2^16 were tried), so
    // digging by singles is digging by uniqueness there.
    if (clues > high || solve_by_singles(rules_, p.clues).rounds > rounds_) {
      return std::nullopt;
    }
    if (ood && !held_out(full)) {
      return std::nullopt;
    }
    return renamed(p, rng);
  }

  std::string canonical(const Puzzle& p) const override {
    return sudoku_canonical(rules_, p.clues);
  }

  Split split_for(const Puzzle& p, const std::string& form) const override {
    if (rules_.side != 4) {
      return split_of(form);
    }
    SudokuGrid solution{};
    count_solutions(rules_, p.clues, 1, &solution);
    return held_out(solution) ? Split::test : Split::train;
  }

  Example work_out(const Puzzle& p) const override {
    const SinglesTrace trace = solve_by_singles(rules_, p.clues);
    SudokuGrid solution = trace.grid;
    if (!trace.solved) {
      const int solutions = count_solutions(rules_, p.clues, 2, &solution);
      if (solutions != 1) {
        fail(p.where.empty() ? "sudoku" : p.where,
             ": the puzzle has ",
             solutions == 0 ? "no" : "more than one",
             " solution");
      }
    }
    Example e = blank_example(spec_);
    for (int cell = 0; cell < rules_.cells; ++cell) {
      const size_t c = static_cast<size_t>(cell);
      e.tokens[c] = p.clues[c];
      if (p.clues[c] == 0) {
        e.targets[c] = solution[c] - 1;
        e.position_difficulty[c] = trace.solved ? trace.round[c] : -1;
      }
    }
    e.difficulty = rated_         ? p.rating
                   : trace.solved ? std::min(trace.rounds, rounds_ + 1)
                                  : rounds_ + 1;
    if (trace.solved) {
      write_marks(p.clues, trace, &e);
    }
    return e;
  }

 private:
  static constexpr int kFewestClues4x4 = 4;  // no 4x4 puzzle with fewer has one solution

  void describe() {
    const int n = rules_.side;
    spec_.name = "sudoku";
    spec_.positions = rules_.cells;
    spec_.vocab = n + 1;
    spec_.answers = n;
    spec_.difficulty =
        "rounds of singles (" + std::to_string(rounds_ + 1) + ": more, or beyond singles)";
    spec_.max_difficulty = rounds_ + 1;
    const std::array<const char*, 3> names{"row", "column", "box"};
    for (size_t u = 0; u < 3; ++u) {
      Channel channel{names[u], n, {}};
      for (int cell = 0; cell < rules_.cells; ++cell) {
        channel.ids.push_back(rules_.units[static_cast<size_t>(cell)][u] - static_cast<int>(u) * n);
      }
      spec_.coordinates.push_back(std::move(channel));
    }
    for (int v = 1; v <= n; ++v) {
      const std::string digit = std::to_string(v);
      spec_.truths.push_back(
          {"mark_" + digit,
           "digit " + digit + " still possible at the start of round step+1; open cells only",
           2,
           rounds_,
           "mark"});
    }
  }

  void hold_out_4x4_grids() {
    if (rules_.side != 4) {
      return;
    }
    classes_ = all_4x4_classes();
    std::vector<std::string> keys;
    for (const SudokuGrid& grid : classes_) {
      keys.push_back(sudoku_canonical(rules_, grid));
    }
    const std::vector<bool> held = hold_out(keys, 2);  // 2 of 12 classes = 48 of 288 grids
    for (size_t i = 0; i < keys.size(); ++i) {
      if (held[i]) {
        held_.push_back(keys[i]);
      }
    }
  }

  bool held_out(const SudokuGrid& solution) const {
    return std::find(held_.begin(), held_.end(), sudoku_canonical(rules_, solution)) != held_.end();
  }

  /// Removes clues in the given order as long as `solvable` holds, down to `target`. Returns the
  /// clues left.
  template <class Solvable>
  int dig(SudokuGrid& grid,
          const SudokuGrid& full,
          const std::vector<uint8_t>& order,
          int target,
          Solvable&& solvable) const {
    int clues = rules_.cells;
    for (const uint8_t cell : order) {
      if (clues == target) {
        break;
      }
      grid[cell] = 0;
      if (solvable(grid)) {
        --clues;
      } else {
        grid[cell] = full[cell];
      }
    }
    return clues;
  }

  /// One solution, but not by singles: dug to a minimal puzzle, then filled up again to the usual
  /// number of clues with clues that do not give it away.
  std::optional<Puzzle> beyond_singles(const SudokuGrid& full,
                                       std::vector<uint8_t>& order,
                                       RngCursor& rng) const {
    Puzzle p{full, -1, {}};
    int clues = dig(p.clues, full, order, 0, [&](const SudokuGrid& g) {
      return count_solutions(rules_, g, 2, nullptr) == 1;
    });
    if (solve_by_singles(rules_, p.clues).solved) {
      return std::nullopt;
    }
    const int target =
        min_clues_ +
        static_cast<int>(rng.below(static_cast<uint32_t>(max_clues_ - min_clues_ + 1)));
    rng.shuffle(order);
    for (const uint8_t cell : order) {
      if (clues >= target) {
        break;
      }
      if (p.clues[cell] == 0) {
        p.clues[cell] = full[cell];
        const bool given_away = solve_by_singles(rules_, p.clues).solved;
        p.clues[cell] = given_away ? uint8_t{0} : full[cell];
        clues += given_away ? 0 : 1;
      }
    }
    if (clues < min_clues_ || clues > max_clues_) {
      return std::nullopt;
    }
    return p;
  }

  /// The 4x4 classes all begin with 1 2 3 4: a random renaming makes every grid equally likely.
  Puzzle renamed(Puzzle p, RngCursor& rng) const {
    if (rules_.side == 4) {
      std::array<uint8_t, 4> name{1, 2, 3, 4};
      rng.shuffle(name);
      for (uint8_t& v : p.clues) {
        v = v == 0 ? v : name[static_cast<size_t>(v - 1)];
      }
    }
    return p;
  }

  void write_marks(const SudokuGrid& clues, const SinglesTrace& trace, Example* e) const {
    SudokuGrid grid = clues;
    for (int round = 1; round <= std::min(trace.rounds, rounds_); ++round) {
      const SudokuState state(rules_, grid);
      for (int i = 0; i < state.blanks(); ++i) {
        const int cell = state.blank(i);
        const size_t at = static_cast<size_t>((round - 1) * rules_.cells + cell);
        for (int v = 0; v < rules_.side; ++v) {
          e->truths[static_cast<size_t>(v)][at] = (state.marks(cell) >> v) & 1;
        }
        if (trace.round[static_cast<size_t>(cell)] == round) {
          grid[static_cast<size_t>(cell)] = trace.grid[static_cast<size_t>(cell)];
        }
      }
    }
  }

  void read_files(const TaskOptions& o) {
    std::vector<Puzzle> lines = o.file.empty() ? std::vector<Puzzle>{} : read(o.file);
    std::vector<Puzzle> ood_lines = o.ood_file.empty() ? std::vector<Puzzle>{} : read(o.ood_file);
    rated_ =
        !lines.empty() && lines[0].rating >= 0 && (ood_lines.empty() || ood_lines[0].rating >= 0);
    if (rated_) {
      spec_.difficulty = "rating in tenths";
      for (const std::vector<Puzzle>* list : {&lines, &ood_lines}) {
        for (const Puzzle& p : *list) {
          spec_.max_difficulty = std::max(spec_.max_difficulty, p.rating);
        }
      }
    }
    if (!o.file.empty()) {
      use_items(std::move(lines));
    }
    if (!o.ood_file.empty()) {
      left_out_ = use_ood_items(std::move(ood_lines));
    } else if (rated_ || (rules_.side == 4 && min_clues_ <= kFewestClues4x4)) {
      no_ood();  // generated puzzles have no rating; no 4x4 puzzle is harder than those of training
    }
  }

  std::vector<Puzzle> read(const std::string& paths) const {
    std::vector<Puzzle> puzzles;
    for (const SourceLine& line : read_lines(paths)) {
      puzzles.push_back(parse(line));
      const bool rated = puzzles.back().rating >= 0;
      if (rated != (puzzles.front().rating >= 0)) {
        fail(line.where,
             ": the first puzzle has ",
             rated ? "no " : "a ",
             "rating, this one has ",
             rated ? "one" : "none");
      }
    }
    return puzzles;
  }

  Puzzle parse(const SourceLine& line) const {
    const std::string& text = line.text;
    const size_t cells = std::min(text.find_first_of(" \t"), text.size());
    if (cells != static_cast<size_t>(rules_.cells)) {
      fail(line.where, ": ", rules_.cells, " cells expected, got ", cells, " in ", excerpt(text));
    }
    Puzzle p{{}, -1, line.where};
    for (size_t i = 0; i < cells; ++i) {
      const char ch = text[i];
      if (ch != '.' && (ch < '0' || ch > '0' + rules_.side)) {
        fail(line.where,
             ": column ",
             i + 1,
             " is ",
             excerpt(text.substr(i, 1)),
             ", not a digit up to ",
             rules_.side,
             " or '.'");
      }
      p.clues[i] = static_cast<uint8_t>(ch == '.' ? 0 : ch - '0');
    }
    if (!SudokuState(rules_, p.clues).ok()) {
      fail(line.where, ": a digit stands twice in a row, column or box of ", excerpt(text));
    }
    if (cells < text.size()) {
      const std::string word =
          text.substr(std::min(text.find_first_not_of(" \t", cells), text.size()));
      double rating = 0;
      const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), rating);
      if (error != std::errc() || end != word.data() + word.size() ||
          !(rating >= 0 && rating <= 100)) {
        fail(line.where, ": rating ", excerpt(word), " is not a number from 0 to 100");
      }
      p.rating = static_cast<int>(std::lround(rating * 10));
    }
    return p;
  }

  const SudokuRules& rules_;
  int rounds_ = 0, min_clues_ = 0, max_clues_ = 0;
  std::vector<SudokuGrid> classes_;  // side 4: one grid of each class
  std::vector<std::string> held_;    // side 4: canonical solutions that training never sees
  bool rated_ = false;               // difficulty is the rating of the list
  int64_t left_out_ = 0;
};

}  // namespace

std::shared_ptr<const Task> make_sudoku(const TaskOptions& options) {
  return std::make_shared<Sudoku>(options);
}

}  // namespace sv
