#include "core/check.h"

#include <cstring>

namespace sv::detail {

void fail_check(const char* expression, const std::string& values, const char* file, int line) {
  const char* slash = std::strrchr(file, '/');
  const std::string where = concat(slash ? slash + 1 : file, ":", line);
  // A sentence speaks for itself; the place is for those who mend the program.
  throw Error(values.empty() ? concat(expression, " fails at ", where)
                             : concat(values, " [", where, "]"));
}

}  // namespace sv::detail
