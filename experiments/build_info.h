// What this program was built from and how; goes into the provenance of every run.
#pragma once
#include <string>

namespace sv {

struct BuildInfo {
  std::string version;
  std::string commit;  // full hash, "-dirty" with uncommitted changes, "unknown" outside a checkout
  std::string type;    // Release, RelWithDebInfo, ...
  std::string compiler;
  std::string isa;       // of the build as a whole; kernels may use more (kernels/cpu/isa.h)
  std::string sanitize;  // empty: none
  std::string flags;     // beyond those of the build type
};

BuildInfo build_info();

}  // namespace sv
