#include "core/check.h"

#include <cstring>

namespace sv::detail {

void fail_check(const char* expression, const std::string& values, std::source_location where) {
  const char* file = where.file_name();
  const char* slash = std::strrchr(file, '/');
  std::string message = concat("check failed: ", expression);
  if (!values.empty()) {
    message += concat(" (", values, ")");
  }
  throw Error(message + concat(" at ", slash ? slash + 1 : file, ":", where.line()));
}

}  // namespace sv::detail
