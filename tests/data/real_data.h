// Where the real data files lie: $SV_DATA, else ../shared/data beside the source folder. They are
// not part of the repository (data/README.md says where each comes from), so tests on them skip,
// loudly, where they are absent.
#pragma once
#include <cstdlib>
#include <filesystem>
#include <string>

namespace sv::testing {

inline std::string real_data_folder() {
  const char* set = std::getenv("SV_DATA");
  return set != nullptr ? set : SV_SOURCE_DIR "/../shared/data";
}

}  // namespace sv::testing

/// Declares `path` for a file of the real data folder, or skips the test.
#define SV_REAL_FILE(path, name)                                             \
  const std::string path = ::sv::testing::real_data_folder() + "/" + (name); \
  if (!std::filesystem::exists(path)) {                                      \
    GTEST_SKIP() << "SKIPPED: real data file '" << path                      \
                 << "' is absent (set SV_DATA to its folder)";               \
  }
