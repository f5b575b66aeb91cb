// Mazes on a square grid: shortest paths, perfect mazes, and the reader of published files.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/rng.h"

namespace sv {

struct MazeGrid {
  int side = 0;
  std::vector<uint8_t> open;  // by cell, row by row
  int start = 0, goal = 0;    // cells
  std::vector<int> path;      // the cells between start and goal on a shortest path
};

/// Shortest ways from one cell to every cell: moves, and how many such ways, counted up to 2; -1
/// and 0 where there is none.
struct MazeMoves {
  std::vector<int> distance, ways;
};
MazeMoves maze_moves(const MazeGrid& x, int from);

/// Cells between start and goal on a shortest path, from the goal's end.
std::vector<int> maze_path(const MazeGrid& x);

/// A perfect maze: between any two open cells there is exactly one way. Made by depth-first search
/// over rooms on every second row and column. Of an even side one row and one column at the edge
/// stay walls. Start, goal and path are left to the caller.
MazeGrid perfect_maze(int side, RngCursor& rng);

/// Mazes of the files: question, tab, answer, side x side characters each: '#' wall, '.' open, 'S',
/// 'G', and 'o' for the path in the answer, which is checked to be a shortest one.
std::vector<MazeGrid> read_mazes(const std::string& paths, int side);

}  // namespace sv
