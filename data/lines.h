// Reading real data files line by line, with limits: every error names file and line.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sv {

/// One line of a file, without its line end.
struct SourceLine {
  std::string text;
  std::string where;  // "path:line", for errors
};

/// The paths of a comma-separated option value.
std::vector<std::string> split_paths(const std::string& paths);

/// The whole file; throws if it cannot be read or is larger than `limit` bytes.
std::string read_text(const std::string& path, int64_t limit = int64_t{1} << 28);

/// Whether a line that begins with '#' is left out.
enum class Comments : uint8_t { hash, none };

/// Lines of all the files, without empty lines and comments.
std::vector<SourceLine> read_lines(const std::string& paths, Comments comments = Comments::hash);

/// The text for an error message: quoted, non-printing bytes as '?', cut after 60 characters.
std::string excerpt(std::string_view text);

/// A byte as a symbol: itself where it prints, "space", else as "\\x0a".
std::string byte_text(int byte);

}  // namespace sv
