// The grid of unfold and where its taps lie, for the CPU and for kernels.
#pragma once
#include "core/host_device.h"

namespace sv::ops {

struct PatchGrid {
  int height, width;  // positions of one row, height * width
  int kernel;         // odd

  SV_HD int rows() const { return height == 1 ? 1 : kernel; }  // of a patch
  SV_HD int taps() const { return rows() * kernel; }
  /// Position that is `by` (+1 or -1) times the offset of `tap` away from `position`; -1 where that
  /// is outside the grid.
  SV_HD int neighbour(int position, int tap, int by) const {
    const int r = position / width + by * (tap / kernel - rows() / 2);
    const int c = position % width + by * (tap % kernel - kernel / 2);
    return r >= 0 && r < height && c >= 0 && c < width ? r * width + c : -1;
  }
};

}  // namespace sv::ops
