// A scan of TOML text before it is parsed: toml++ recurses per nesting level, so depth is bounded
// first.
#pragma once
#include <string_view>

namespace sv {

/// Deepest nesting that the text can have: open brackets and braces, plus the dots of a key.
/// Strings and comments are skipped. Never below the true depth of a document that parses.
int toml_nesting(std::string_view text);

}  // namespace sv
