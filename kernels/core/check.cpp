#include "core/check.h"

#include <cstring>

namespace sv::detail {

void fail_check(const char* expression, const std::string& values, const char* file, int line) {
  const char* slash = std::strrchr(file, '/');
  // The sentence first: it is what a user can act on.
  const std::string where = concat(expression, " fails at ", slash ? slash + 1 : file, ":", line);
  throw Error(values.empty() ? where : concat(values, " [", where, "]"));
}

}  // namespace sv::detail
