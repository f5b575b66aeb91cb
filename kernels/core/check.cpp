#include "core/check.h"

#include <cstring>

namespace sv::detail {

void fail_check(const char* expression, const std::string& values, const char* file, int line) {
  const char* slash = std::strrchr(file, '/');
  std::string message = concat("check failed: ", expression);
  if (!values.empty()) {
    message += concat(" (", values, ")");
  }
  throw Error(message + concat(" at ", slash ? slash + 1 : file, ":", line));
}

}  // namespace sv::detail
