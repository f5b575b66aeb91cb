// Host side of kernels with a team of threads per row (kernels/simt/row_team.h).
#pragma once
#include <initializer_list>

#include "kernels/memory/device.h"
#include "kernels/simt/row_team.h"

namespace sv::ops::device {

/// Whether every pointer, absent ones aside, allows 16 bytes at once.
inline bool all_aligned(std::initializer_list<const void*> pointers) {
  for (const void* p : pointers) {
    if (!simt::aligned16(p)) {
      return false;
    }
  }
  return true;
}

/// N rows of each listed model.
inline LaunchShape rows_shape(const simt::RowTeamShape& team, int64_t N, const LiveModels& models) {
  const int64_t rows = team.rows_per_block();
  return {.grid_x = static_cast<int>((N + rows - 1) / rows),
          .grid_y = models.count,
          .block = team.wide ? simt::kWideThreads : simt::kRowThreads,
          .shared_bytes = team.wide ? simt::kReduceBytes : 0};
}

}  // namespace sv::ops::device
