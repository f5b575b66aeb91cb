// ARC (Chollet, arXiv 1911.01547): grids of 30 x 30 cells with the puzzle named in front, as the
// hierarchical and tiny recursive models read them. The demonstration pairs of every puzzle are
// trained on, its test pairs are the test split. Variants of a puzzle, turned or reflected and with
// other colours, are puzzles of their own.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "data/io/json.h"
#include "data/lines.h"
#include "data/task_of.h"
#include "data/task_options.h"

namespace sv {
namespace {

inline constexpr int kArcSide = 30;

struct ArcGrid {
  int rows = 0, columns = 0;
  std::vector<uint8_t> colours;  // row by row
  bool operator<(const ArcGrid& other) const {
    return std::tie(rows, columns, colours) < std::tie(other.rows, other.columns, other.colours);
  }
};
using ArcPair = std::array<ArcGrid, 2>;  // input, output

struct ArcPuzzle {
  std::string id;
  std::vector<ArcPair> train, test;
};

/// One pair of one variant of a puzzle; variant 0 is the puzzle itself.
struct ArcItem {
  int puzzle = 0, variant = 0, pair = 0;
  bool test = false;
};

ArcGrid parse_grid(const nlohmann::json& rows, const std::string& where) {
  ArcGrid grid;
  const auto size_fits = [](const nlohmann::json& list) {
    return list.is_array() && !list.empty() && list.size() <= kArcSide;
  };
  if (!size_fits(rows) || !size_fits(rows[0])) {
    fail(where, ": a grid of 1 to 30 rows and columns is expected");
  }
  grid.rows = static_cast<int>(rows.size());
  grid.columns = static_cast<int>(rows[0].size());
  for (size_t r = 0; r < rows.size(); ++r) {
    if (!rows[r].is_array() || rows[r].size() != rows[0].size()) {
      fail(where, ": row ", r, " is not a list of ", rows[0].size(), " cells, as row 0");
    }
    for (const nlohmann::json& cell : rows[r]) {
      if (!cell.is_number_integer() || cell < 0 || cell > 9) {
        fail(where, ": row ", r, " holds ", excerpt(cell.dump()), ", not a colour from 0 to 9");
      }
      grid.colours.push_back(cell.get<uint8_t>());
    }
  }
  return grid;
}

std::vector<ArcPair> parse_pairs(const nlohmann::json& puzzle,
                                 const char* key,
                                 const std::string& where) {
  const nlohmann::json& list = json_member(puzzle, key, where);
  if (!list.is_array() || list.empty()) {
    fail(where, ": '", key, "' must be a list of pairs");
  }
  std::vector<ArcPair> pairs;
  for (const nlohmann::json& pair : list) {
    const std::string place = where + " " + key + " " + std::to_string(pairs.size());
    pairs.push_back({parse_grid(json_member(pair, "input", place), place + " input"),
                     parse_grid(json_member(pair, "output", place), place + " output")});
  }
  return pairs;
}

/// The grid with rows and columns exchanged if bit 2 is set, then reflected top to bottom (bit 0)
/// and left to right (bit 1): the eight symmetries of the square; colours by `colour`.
ArcGrid transformed(const ArcGrid& g, uint32_t symmetry, const std::array<uint8_t, 10>& colour) {
  const bool exchange = (symmetry & 4) != 0;
  ArcGrid out{exchange ? g.columns : g.rows, exchange ? g.rows : g.columns, {}};
  for (int r = 0; r < out.rows; ++r) {
    for (int c = 0; c < out.columns; ++c) {
      const int row = (symmetry & 1) != 0 ? out.rows - 1 - r : r;
      const int column = (symmetry & 2) != 0 ? out.columns - 1 - c : c;
      const int from = exchange ? column * g.columns + row : row * g.columns + column;
      out.colours.push_back(colour[g.colours[static_cast<size_t>(from)]]);
    }
  }
  return out;
}

class Arc final : public TaskOf<ArcItem> {
  // As in the published sets: padding, end of the grid, then ten colours; here puzzles follow.
  enum Symbol : int { kBlank, kEdge, kColour, kFirstPuzzle = kColour + 10 };

 public:
  explicit Arc(const TaskOptions& o) : variants_(option(o.augment, 8, 1, 1000, "augment")) {
    read(o.file);
    describe();
    std::vector<ArcItem> items;
    std::set<ArcPair> asked;
    for (int p = 0; p < std::ssize(puzzles_); ++p) {
      const ArcPuzzle& puzzle = puzzles_[static_cast<size_t>(p)];
      for (int i = 0; i < std::ssize(puzzle.test); ++i) {
        items.push_back({p, 0, i, true});
        asked.insert(puzzle.test[static_cast<size_t>(i)]);
      }
    }
    for (int variant = 0; variant < variants_; ++variant) {
      for (int p = 0; p < std::ssize(puzzles_); ++p) {
        const ArcPuzzle& puzzle = puzzles_[static_cast<size_t>(p)];
        for (int i = 0; i < std::ssize(puzzle.train); ++i) {
          if (asked.contains(puzzle.train[static_cast<size_t>(i)])) {
            left_out_ += variant == 0 ? 1 : 0;
          } else {
            items.push_back({p, variant, i, false});
          }
        }
      }
    }
    use_items(std::move(items));
    no_ood();
  }
  std::string token_text(int id) const override {
    if (id < kFirstPuzzle) {
      return id == kBlank ? "_" : id == kEdge ? "|" : std::to_string(id - kColour);
    }
    const int puzzle = (id - kFirstPuzzle) / variants_, variant = (id - kFirstPuzzle) % variants_;
    return puzzles_[static_cast<size_t>(puzzle)].id +
           (variant == 0 ? "" : "." + std::to_string(variant));
  }
  std::vector<std::string> notes() const override {
    std::vector<std::string> notes{
        std::to_string(puzzles_.size()) + " puzzles, " + std::to_string(variants_) +
        " variants each; their demonstration pairs are trained on, test pairs are the test split"};
    if (repeated_ > 0) {
      notes.push_back(std::to_string(repeated_) +
                      " puzzles occur in several files: the first counts");
    }
    if (left_out_ > 0) {
      notes.push_back(std::to_string(left_out_) +
                      " demonstration pairs are also test pairs and are left out");
    }
    return notes;
  }

 protected:
  std::optional<ArcItem> draw(RngCursor&, bool) const override { return std::nullopt; }

  std::string canonical(const ArcItem& x) const override {
    return puzzles_[static_cast<size_t>(x.puzzle)].id + (x.test ? " test " : " train ") +
           std::to_string(x.pair) + " variant " + std::to_string(x.variant);
  }

  Split split_for(const ArcItem& x, const std::string&) const override {
    return x.test ? Split::test : Split::train;
  }

  Example work_out(const ArcItem& x) const override {
    const ArcPuzzle& puzzle = puzzles_[static_cast<size_t>(x.puzzle)];
    const ArcPair& pair = (x.test ? puzzle.test : puzzle.train)[static_cast<size_t>(x.pair)];
    const auto [symmetry, colour] = variant_of(puzzle, x.variant);
    Example e = blank_example(spec_);
    e.tokens[0] = kFirstPuzzle + x.puzzle * variants_ + x.variant;
    draw_grid(transformed(pair[0], symmetry, colour), &e.tokens);
    draw_grid(transformed(pair[1], symmetry, colour), &e.targets);
    e.difficulty = pair[1].rows * pair[1].columns;
    return e;
  }

 private:
  void describe() {
    constexpr int kCells = kArcSide * kArcSide;
    spec_.name = "arc";
    spec_.positions = 1 + kCells;
    spec_.puzzles = static_cast<int>(puzzles_.size()) * variants_;
    spec_.vocab = kFirstPuzzle + spec_.puzzles;
    spec_.answers = kFirstPuzzle;
    Channel row{"row", kArcSide + 1, {kArcSide}}, column{"column", kArcSide + 1, {kArcSide}};
    for (int cell = 0; cell < kCells; ++cell) {
      row.ids.push_back(cell / kArcSide);
      column.ids.push_back(cell % kArcSide);
    }
    spec_.coordinates = {row, column};
    spec_.difficulty = "cells of the output";
    spec_.max_difficulty = kCells;
  }

  /// Symmetry and colours of a variant; colour 0, the usual background, stays.
  std::pair<uint32_t, std::array<uint8_t, 10>> variant_of(const ArcPuzzle& puzzle,
                                                          int variant) const {
    std::array<uint8_t, 10> colour{0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    if (variant == 0) {
      return {0, colour};
    }
    RngCursor rng(Rng(
        canonical_hash(puzzle.id), stream_of("task.arc.variant"), static_cast<uint64_t>(variant)));
    const uint32_t symmetry = rng.below(8);
    std::span<uint8_t> others = std::span(colour).subspan(1);
    rng.shuffle(others);
    return {symmetry, colour};
  }

  /// The cells, then an edge below and to the right where there is room. Cells beyond keep what
  /// they are: padding in the input, not asked in the output.
  static void draw_grid(const ArcGrid& g, std::vector<int32_t>* into) {
    const auto at = [&](int r, int c) -> int32_t& {
      return (*into)[static_cast<size_t>(1 + r * kArcSide + c)];
    };
    for (int r = 0; r < g.rows; ++r) {
      for (int c = 0; c < g.columns; ++c) {
        at(r, c) = kColour + g.colours[static_cast<size_t>(r * g.columns + c)];
      }
    }
    for (int c = 0; c < g.columns && g.rows < kArcSide; ++c) {
      at(g.rows, c) = kEdge;
    }
    for (int r = 0; r < g.rows && g.columns < kArcSide; ++r) {
      at(r, g.columns) = kEdge;
    }
  }

  void read(const std::string& paths) {
    const JsonLimits limits{size_t{64} << 20, 8, 20'000'000, 256};
    std::set<std::string> seen;
    for (const std::string& path : split_paths(paths)) {
      const nlohmann::json all = read_json(path, limits);
      if (!all.is_object() || all.empty()) {
        fail(path, ": an object of puzzles by name is expected");
      }
      for (const auto& [id, puzzle] : all.items()) {
        if (!seen.insert(id).second) {
          ++repeated_;
          continue;
        }
        const std::string where = path + ": puzzle " + excerpt(id);
        puzzles_.push_back(
            {id, parse_pairs(puzzle, "train", where), parse_pairs(puzzle, "test", where)});
      }
    }
  }

  int variants_;
  std::vector<ArcPuzzle> puzzles_;
  int64_t repeated_ = 0, left_out_ = 0;
};

}  // namespace

std::shared_ptr<const Task> make_arc(const TaskOptions& options) {
  return std::make_shared<Arc>(options);
}

}  // namespace sv
