// UTF-8: one character at a time, as strict as RFC 3629.
#pragma once
#include <cstddef>
#include <string_view>

namespace sv {

/// Bytes of the valid UTF-8 character at the start of `s`; 0 if there is none (also for an empty
/// text).
constexpr size_t utf8_length(std::string_view s) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(s[i]); };
  if (s.empty() || byte(0) < 0x80) {
    return s.empty() ? 0 : 1;
  }
  const unsigned char c = byte(0);
  const size_t n = c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
  if (n == 0 || n > s.size()) {
    return 0;
  }
  for (size_t i = 1; i < n; ++i) {
    if ((byte(i) & 0xc0) != 0x80) {
      return 0;
    }
  }
  const bool overlong = (c == 0xe0 && byte(1) < 0xa0) || (c == 0xf0 && byte(1) < 0x90);
  const bool outside = (c == 0xed && byte(1) >= 0xa0) || (c == 0xf4 && byte(1) >= 0x90);
  return overlong || outside ? 0 : n;
}

}  // namespace sv
