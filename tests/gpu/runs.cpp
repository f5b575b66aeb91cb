#include "gpu/runs.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "core/check.h"
#include "kernel_states_values.h"

namespace sv::gpu {

namespace {

bool meets(double value, const std::string& goal) {
  if (goal.empty()) {
    return true;
  }
  const double bound = std::strtod(goal.c_str() + 3, nullptr);
  return goal.starts_with(">= ") ? value >= bound : value <= bound;
}

}  // namespace

void Runs::add(const std::string& name, double value) {
  const auto listed = std::ranges::find_if(
      kernel_states::kGoals, [&](const kernel_states::Goal& g) { return name == g.name; });
  SV_CHECK(listed != kernel_states::kGoals.end(), "kernels/gpu_goals.json has no ", name);
  SV_CHECK(std::isfinite(value) && value >= 0, name, " is ", value);
  std::erase_if(all_, [&](const Run& r) { return r.name == name; });
  all_.push_back({name, listed->unit, listed->goal, value, meets(value, listed->goal)});
}

double Runs::value(const std::string& name) const {
  const auto found = std::ranges::find(all_, name, &Run::name);
  return found == all_.end() ? 0 : found->value;
}

bool Runs::met() const {
  return std::ranges::all_of(all_, &Run::met);
}

std::string Runs::table() const {
  std::string text;
  for (const Run& r : all_) {
    char line[256];
    std::snprintf(
        line,
        sizeof line,
        "%-34s %12.5g %-16s %s\n",
        r.name.c_str(),
        r.value,
        r.unit.c_str(),
        r.goal.empty() ? "" : ("goal " + r.goal + (r.met ? ": met" : ": NOT MET")).c_str());
    text += line;
  }
  return text;
}

}  // namespace sv::gpu
