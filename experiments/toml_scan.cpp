#include "experiments/toml_scan.h"

#include <algorithm>
#include <cstddef>

namespace sv {
namespace {

/// The place after the string that starts at `i`. A line end closes a single-line string, as it
/// does (with an error) in the parser; after a closing triple the parser takes up to two more
/// quotes as content.
size_t after_string(std::string_view s, size_t i) {
  const char quote = s[i];
  const bool escapes = quote == '"';
  const auto triple = [&](size_t k) {
    return k + 2 < s.size() && s[k] == quote && s[k + 1] == quote && s[k + 2] == quote;
  };
  const bool multi = triple(i);
  for (i += multi ? 3 : 1; i < s.size(); ++i) {
    if (escapes && s[i] == '\\') {
      ++i;
    } else if (multi && triple(i)) {
      i += 3;
      for (int extra = 0; extra < 2 && i < s.size() && s[i] == quote; ++extra) {
        ++i;
      }
      return i;
    } else if (!multi && (s[i] == quote || s[i] == '\n')) {
      return i + 1;
    }
  }
  return s.size();
}

}  // namespace

int toml_nesting(std::string_view text) {
  int open = 0, dots = 0, deepest = 0;
  for (size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c == '"' || c == '\'') {
      i = after_string(text, i);
      continue;
    }
    if (c == '#') {
      i = std::min(text.find('\n', i), text.size());
      continue;
    }
    if (c == '[' || c == '{') {
      ++open;
      dots = 0;
    } else if (c == ']' || c == '}') {
      open = std::max(0, open - 1);
      dots = 0;
    } else if (c == '.') {
      ++dots;
    } else if (c == '\n' || c == '=' || c == ',') {
      dots = 0;
    }
    deepest = std::max(deepest, open + dots);
    ++i;
  }
  return deepest;
}

}  // namespace sv
