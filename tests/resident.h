// Memory of this process.
#pragma once
#include <cstddef>
#include <fstream>

namespace sv {

/// Bytes of physical memory in use.
inline size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  size_t pages = 0;
  statm >> pages >> pages;
  return pages * 4096;
}

}  // namespace sv
