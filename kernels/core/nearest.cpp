#include "core/nearest.h"

#include <algorithm>
#include <vector>

namespace sv {
namespace {

// Longer inputs are not typing slips, and the distance costs |a| |b|: names come from files of
// others.
constexpr size_t kLongestName = 256;

std::string_view last_component(std::string_view name) {
  const size_t dot = name.rfind('.');
  return dot == std::string_view::npos ? name : name.substr(dot + 1);
}

struct Candidate {
  int distance = 0;
  int other_first = 0;  // 1 if the first characters differ: slips rarely hit the first key
  bool operator<(const Candidate& other) const {
    return distance != other.distance ? distance < other.distance : other_first < other.other_first;
  }
};

template <class Key>
std::string nearest_by(std::string_view name, std::span<const std::string> known, Key key) {
  const int limit = std::max(1, static_cast<int>(name.size()) / 3);
  std::string best_name;
  Candidate best{limit + 1, 0};
  for (const std::string& candidate : known) {
    const std::string_view text = key(candidate);
    if (text.empty() || text.size() > kLongestName) {
      continue;
    }
    const Candidate c{edit_distance(name, text), name[0] == text[0] ? 0 : 1};
    // A distance of the whole length shares nothing: "a" is not near "b".
    const int longest = static_cast<int>(std::max(name.size(), text.size()));
    if (c.distance <= limit && c.distance < longest && c < best) {
      best = c;
      best_name = candidate;
    }
  }
  return best_name;
}

}  // namespace

int edit_distance(std::string_view a, std::string_view b) {
  const size_t width = b.size() + 1;
  std::vector<int> before(width), above(width), row(width);
  for (size_t j = 0; j < width; ++j) {
    above[j] = static_cast<int>(j);
  }
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = static_cast<int>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const int replaced = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    before.swap(above);
    above.swap(row);
  }
  return above[b.size()];
}

std::string nearest_name(std::string_view name, std::span<const std::string> known) {
  if (name.empty() || name.size() > kLongestName) {
    return "";
  }
  std::string whole = nearest_by(name, known, [](std::string_view k) { return k; });
  if (!whole.empty()) {
    return whole;
  }
  const std::string_view tail = last_component(name);
  return tail.empty() ? "" : nearest_by(tail, known, last_component);
}

std::string did_you_mean(std::string_view name, std::span<const std::string> known) {
  const std::string nearest = nearest_name(name, known);
  return nearest.empty() ? "" : ", did you mean '" + nearest + "'?";
}

}  // namespace sv
