#include "data/maze.h"

#include <algorithm>
#include <array>

#include "core/check.h"
#include "data/lines.h"

namespace sv {
namespace {

/// Calls f(neighbour) for the cells beside one, within the grid.
template <class F>
void beside(const MazeGrid& x, int cell, const F& f) {
  const int row = cell / x.side, column = cell % x.side;
  if (row > 0) {
    f(cell - x.side);
  }
  if (column > 0) {
    f(cell - 1);
  }
  if (column + 1 < x.side) {
    f(cell + 1);
  }
  if (row + 1 < x.side) {
    f(cell + x.side);
  }
}

void check_path(const MazeGrid& x, const SourceLine& line) {
  if (x.start < 0 || x.goal < 0) {
    fail(line.where, ": there is no ", x.start < 0 ? "S" : "G");
  }
  MazeGrid marked = x;
  marked.open.assign(x.open.size(), 0);
  marked.open[static_cast<size_t>(x.goal)] = 1;
  for (const int cell : x.path) {
    marked.open[static_cast<size_t>(cell)] = 1;
  }
  const size_t goal = static_cast<size_t>(x.goal);
  const int shortest = maze_moves(x, x.start).distance[goal];
  const int walked = maze_moves(marked, x.start).distance[goal];
  if (walked != shortest || walked != static_cast<int>(x.path.size()) + 1) {
    fail(line.where,
         ": the answer marks ",
         x.path.size(),
         " cells and leads to the goal in ",
         walked,
         " moves (-1: not), the shortest path in ",
         shortest);
  }
}

/// question, tab, answer; the answer repeats the question and marks a shortest path by 'o'.
MazeGrid parse_maze(const SourceLine& line, int side) {
  const size_t cells = static_cast<size_t>(side * side), tab = line.text.find('\t');
  if (tab != cells || line.text.size() != 2 * cells + 1) {
    fail(line.where,
         ": ",
         cells,
         " cells, a tab and ",
         cells,
         " cells expected (size = ",
         side,
         "), got ",
         std::min(tab, line.text.size()),
         " and a line of ",
         line.text.size());
  }
  MazeGrid x{side, {}, -1, -1, {}};
  for (int cell = 0; cell < side * side; ++cell) {
    const char asked = line.text[static_cast<size_t>(cell)];
    const char answered = line.text[cells + 1 + static_cast<size_t>(cell)];
    int* const end = asked == 'S' ? &x.start : asked == 'G' ? &x.goal : nullptr;
    if ((end == nullptr && asked != '#' && asked != '.') || (end != nullptr && *end >= 0)) {
      fail(line.where, ": cell ", cell + 1, " is ", excerpt({&asked, 1}), " (# . and one S, G)");
    }
    if (answered != asked && !(asked == '.' && answered == 'o')) {
      fail(line.where,
           ": cell ",
           cell + 1,
           " is ",
           excerpt({&asked, 1}),
           ", but ",
           excerpt({&answered, 1}),
           " in the answer");
    }
    if (end != nullptr) {
      *end = cell;
    }
    x.open.push_back(asked == '#' ? 0 : 1);
    if (answered == 'o') {
      x.path.push_back(cell);
    }
  }
  check_path(x, line);
  return x;
}

}  // namespace

MazeMoves maze_moves(const MazeGrid& x, int from) {
  MazeMoves m{std::vector<int>(x.open.size(), -1), std::vector<int>(x.open.size(), 0)};
  std::vector<int> queue{from};
  m.distance[static_cast<size_t>(from)] = 0;
  m.ways[static_cast<size_t>(from)] = 1;
  for (size_t i = 0; i < queue.size(); ++i) {
    const size_t at = static_cast<size_t>(queue[i]);
    beside(x, queue[i], [&](int next) {
      const size_t n = static_cast<size_t>(next);
      if (x.open[n] == 0) {
        return;
      }
      if (m.distance[n] < 0) {
        m.distance[n] = m.distance[at] + 1;
        queue.push_back(next);
      }
      if (m.distance[n] == m.distance[at] + 1) {
        m.ways[n] = std::min(2, m.ways[n] + m.ways[at]);
      }
    });
  }
  return m;
}

std::vector<int> maze_path(const MazeGrid& x) {
  const std::vector<int> distance = maze_moves(x, x.start).distance;
  std::vector<int> path;
  for (int at = x.goal; distance[static_cast<size_t>(at)] > 1;) {
    int closer = at;
    beside(x, at, [&](int next) {
      if (distance[static_cast<size_t>(next)] == distance[static_cast<size_t>(at)] - 1) {
        closer = next;
      }
    });
    path.push_back(at = closer);
  }
  return path;
}

MazeGrid perfect_maze(int side, RngCursor& rng) {
  const auto first = [&] { return side % 2 == 0 ? static_cast<int>(rng.below(2)) : 0; };
  const int top = first(), left = first();
  const auto is_room = [&](int row, int column) {
    return row >= top && column >= left && row < side && column < side;
  };
  MazeGrid x;
  x.side = side;
  x.open.assign(static_cast<size_t>(side * side), 0);
  const auto some = [&](int from) {
    return from + 2 * static_cast<int>(rng.below(static_cast<uint32_t>((side - from + 1) / 2)));
  };
  const int row = some(top), column = some(left);
  std::vector<int> trail{row * side + column};
  x.open[static_cast<size_t>(trail[0])] = 1;
  constexpr std::array<std::array<int, 2>, 4> kWays{{{-1, 0}, {0, -1}, {0, 1}, {1, 0}}};
  while (!trail.empty()) {
    const int r = trail.back() / side, c = trail.back() % side;
    std::vector<int> walls;  // that lead to a room not yet open
    for (const auto& [down, right] : kWays) {
      const int far = (r + 2 * down) * side + c + 2 * right;
      if (is_room(r + 2 * down, c + 2 * right) && x.open[static_cast<size_t>(far)] == 0) {
        walls.push_back((r + down) * side + c + right);
      }
    }
    if (walls.empty()) {
      trail.pop_back();
      continue;
    }
    const int wall = walls[rng.below(static_cast<uint32_t>(walls.size()))];
    const int room = 2 * wall - trail.back();  // as far behind the wall as the old room before it
    x.open[static_cast<size_t>(wall)] = x.open[static_cast<size_t>(room)] = 1;
    trail.push_back(room);
  }
  return x;
}

std::vector<MazeGrid> read_mazes(const std::string& paths, int side) {
  std::vector<MazeGrid> mazes;
  for (const SourceLine& line : read_lines(paths, Comments::none)) {
    mazes.push_back(parse_maze(line, side));
  }
  return mazes;
}

}  // namespace sv
