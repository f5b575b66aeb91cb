// Checks of single task options.
#include "data/task_options.h"

#include <vector>

#include "core/check.h"
#include "core/nearest.h"

namespace sv {

int option(int value, int otherwise, int low, int high, std::string_view name) {
  const int used = value == 0 ? otherwise : value;
  if (used < low || used > high) {
    fail("task option ", name, " = ", used, " is outside ", low, " to ", high);
  }
  return used;
}

int choose_form(const std::string& form, std::initializer_list<std::string> forms) {
  const std::vector<std::string> known(forms);
  for (size_t i = 0; i < known.size(); ++i) {
    if (form == known[i] || (form.empty() && i == 0)) {
      return static_cast<int>(i);
    }
  }
  std::string list;
  for (const std::string& f : known) {
    list += (list.empty() ? "" : ", ") + f;
  }
  fail("task option form = '", form, "' is not one of: ", list, did_you_mean(form, known));
}

}  // namespace sv
