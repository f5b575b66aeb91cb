// Maze: walls, open cells, a start and a goal; every cell asks what stands there once the shortest
// path is drawn. Generated mazes are perfect and the length of the path is drawn first, as in the
// Maze-Unique set of Equilibrium Reasoners (arXiv 2605.21488); Maze-Hard, the set of the
// hierarchical reasoning model (arXiv 2506.21734), is read from files.
#include "data/maze.h"

#include <algorithm>
#include <bit>

#include "data/task_of.h"
#include "data/task_options.h"

namespace sv {
namespace {

class Maze final : public TaskOf<MazeGrid> {
  enum Cell : int { kNothing, kWall, kOpen, kStart, kGoal, kPath };  // as in the published sets

 public:
  explicit Maze(const TaskOptions& o)
      : side_(option(o.size, o.file.empty() && o.ood_file.empty() ? 15 : 30, 5, 64, "size")),
        cells_(side_ * side_),
        // A perfect maze of this side nearly always has ways of a quarter of its cells.
        longest_(cells_ / 4) {
    const int low = std::max(2, cells_ / 9), high = std::max(low, cells_ * 7 / 45);  // 100, 140
    low_ = option(o.min_path, low, 2, longest_, "min_path");
    high_ = option(o.max_path, std::max(high, low_), low_, longest_, "max_path");
    ood_high_ = std::min(2 * high_ - low_ + 1, longest_);
    if (!o.file.empty() && (o.min_path > 0 || o.max_path > 0)) {
      fail("task maze: min_path and max_path are for generated mazes, not for those of file = ",
           o.file);
    }
    describe();
    spec_.max_difficulty = !o.file.empty() ? 0 : o.ood_file.empty() ? ood_high_ : high_;
    if (!o.file.empty()) {
      use_items(read(o.file));
    }
    if (!o.ood_file.empty()) {
      left_out_ = use_ood_items(read(o.ood_file));
    } else if (!o.file.empty() || ood_high_ == high_) {
      no_ood();
    }
    generated_ = o.file.empty();
  }

  std::string token_text(int id) const override { return std::string(1, "_#.SGo"[id]); }

  std::vector<std::string> notes() const override {
    std::vector<std::string> notes;
    if (generated_) {
      notes.push_back("train and test: paths of " + std::to_string(low_) + " to " +
                      std::to_string(high_) + " moves in perfect mazes");
    } else {
      notes.push_back(
          "exactly one shortest path: in " +
          percent_of(Split::test,
                     2000,
                     [&](const MazeGrid& x) {
                       return maze_moves(x, x.start).ways[static_cast<size_t>(x.goal)] == 1;
                     }) +
          " test mazes; in the others a different shortest path counts as wrong");
    }
    if (left_out_ > 0) {
      notes.push_back("ood_file: " + std::to_string(left_out_) +
                      " mazes also stand in file and are left out");
    }
    return notes;
  }

  /// The start or the goal moves to another open cell, if one can with exactly one shortest path;
  /// paths as long as those of training come first.
  std::optional<Example> counterfactual(const Example& e,
                                        uint64_t seed,
                                        uint64_t index) const override {
    MazeGrid x{side_, {}, 0, 0, {}};
    for (int cell = 0; cell < cells_; ++cell) {
      const int token = e.tokens[static_cast<size_t>(cell)];
      x.open.push_back(token == kWall ? 0 : 1);
      x.start = token == kStart ? cell : x.start;
      x.goal = token == kGoal ? cell : x.goal;
    }
    const Rng rng(seed, stream_of("counterfactual.maze"), index);
    const bool move_goal = rng.below(0, 2) == 1;
    const MazeMoves moves = maze_moves(x, move_goal ? x.start : x.goal);
    std::vector<int> usual, all;
    for (int cell = 0; cell < cells_; ++cell) {
      const int d = moves.distance[static_cast<size_t>(cell)];
      if (cell != x.start && cell != x.goal && moves.ways[static_cast<size_t>(cell)] == 1) {
        all.push_back(cell);
        if (d >= low_ && d <= high_) {
          usual.push_back(cell);
        }
      }
    }
    if (all.empty()) {
      return std::nullopt;
    }
    const std::vector<int>& pool = usual.empty() ? all : usual;
    (move_goal ? x.goal : x.start) = pool[rng.below(1, static_cast<uint32_t>(pool.size()))];
    x.path = maze_path(x);
    Example out = work_out(x);
    out.canonical = canonical(x);
    return out;
  }

 protected:
  std::optional<MazeGrid> draw(RngCursor& rng, bool ood) const override {
    const int low = ood ? high_ + 1 : low_, high = ood ? ood_high_ : high_;
    const int moves = low + static_cast<int>(rng.below(static_cast<uint32_t>(high - low + 1)));
    constexpr int kMazes = 20, kStarts = 20;  // so that rare lengths are not given up at once
    for (int attempt = 0; attempt < kMazes; ++attempt) {
      MazeGrid x = perfect_maze(side_, rng);
      for (int i = 0; i < kStarts; ++i) {
        x.start = static_cast<int>(rng.below(static_cast<uint32_t>(cells_)));
        if (x.open[static_cast<size_t>(x.start)] == 0) {
          continue;
        }
        const std::vector<int> distance = maze_moves(x, x.start).distance;
        std::vector<int> goals;
        for (int cell = 0; cell < cells_; ++cell) {
          if (distance[static_cast<size_t>(cell)] == moves) {
            goals.push_back(cell);
          }
        }
        if (!goals.empty()) {
          x.goal = goals[rng.below(static_cast<uint32_t>(goals.size()))];
          x.path = maze_path(x);
          return x;
        }
      }
    }
    return std::nullopt;
  }

  std::string canonical(const MazeGrid& x) const override {
    std::string text;
    for (int cell = 0; cell < cells_; ++cell) {
      text += token_text(token_of(x, cell));
    }
    return text;
  }

  Example work_out(const MazeGrid& x) const override {
    Example e = blank_example(spec_);
    const std::vector<int> distance = maze_moves(x, x.start).distance;
    for (int cell = 0; cell < cells_; ++cell) {
      const size_t c = static_cast<size_t>(cell);
      e.targets[c] = e.tokens[c] = token_of(x, cell);
      if (x.open[c] == 0) {
        continue;
      }
      const int d = distance[c];
      for (int s = 0; s < spec_.truths[kWithin].steps; ++s) {
        truth_at(&e, spec_, kWithin, s, cell) = d >= 0 && d <= 2 << s ? 1 : 0;
      }
      truth_at(&e, spec_, kDistance, 0, cell) = d;
      truth_at(&e, spec_, kOnPath, 0, cell) = cell == x.start || cell == x.goal ? 1 : 0;
    }
    for (const int cell : x.path) {
      e.targets[static_cast<size_t>(cell)] = kPath;
      truth_at(&e, spec_, kOnPath, 0, cell) = 1;
    }
    e.difficulty = static_cast<int>(x.path.size()) + 1;
    return e;
  }

 private:
  enum Truth : size_t { kWithin, kDistance, kOnPath };

  void describe() {
    spec_.name = "maze";
    spec_.positions = cells_;
    spec_.vocab = spec_.answers = kPath + 1;
    Channel row{"row", side_, {}}, column{"column", side_, {}};
    for (int cell = 0; cell < cells_; ++cell) {
      row.ids.push_back(cell / side_);
      column.ids.push_back(cell % side_);
    }
    spec_.coordinates = {row, column};
    const int doublings = std::bit_width(static_cast<unsigned>(longest_ - 1));
    spec_.truths = {
        {"within", "start reached within 2^(step+1) moves; open cells only", 2, doublings, ""},
        {"distance", "moves from the start (one step)", cells_, 1, ""},
        {"on_path", "on the path, ends included; open cells only (one step)", 2, 1, ""}};
    spec_.difficulty = "moves from start to goal";
  }

  int token_of(const MazeGrid& x, int cell) const {
    return cell == x.start  ? kStart
           : cell == x.goal ? kGoal
                            : (x.open[static_cast<size_t>(cell)] != 0 ? kOpen : kWall);
  }

  std::vector<MazeGrid> read(const std::string& paths) {
    std::vector<MazeGrid> mazes = read_mazes(paths, side_);
    for (const MazeGrid& x : mazes) {
      spec_.max_difficulty = std::max(spec_.max_difficulty, static_cast<int>(x.path.size()) + 1);
    }
    return mazes;
  }

  int side_, cells_, longest_;
  int low_ = 0, high_ = 0, ood_high_ = 0;
  bool generated_ = true;
  int64_t left_out_ = 0;
};

}  // namespace

std::shared_ptr<const Task> make_maze(const TaskOptions& options) {
  return std::make_shared<Maze>(options);
}

}  // namespace sv
