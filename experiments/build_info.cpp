#include "experiments/build_info.h"

#include "build_info_values.h"

namespace sv {

BuildInfo build_info() {
  return {SV_BUILD_VERSION,
          SV_BUILD_COMMIT,
          SV_BUILD_TYPE,
          SV_BUILD_COMPILER,
          SV_BUILD_ISA,
          SV_BUILD_SANITIZE,
          SV_BUILD_FLAGS};
}

}  // namespace sv
