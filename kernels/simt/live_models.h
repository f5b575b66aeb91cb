// Which models of the pack a launch computes: travels by value in the kernel's arguments.
#pragma once
#include <cstdint>

#include "core/host_device.h"

namespace sv {

/// Places on the model axis, ascending. 512 ids fit beside a kernel's pointers in 4 KB of
/// arguments.
struct LiveModels {
  static constexpr int kMost = 512;
  int count = 0;
  bool all = true;  // every model of the pack: id is not read
  uint16_t id[kMost] = {};

  /// Place of the i-th listed model, i < count.
  SV_HD int model(int i) const { return all ? i : id[i]; }
};

}  // namespace sv
