// Reading real data files line by line.
#include "data/lines.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/check.h"

namespace sv {

std::vector<std::string> split_paths(const std::string& paths) {
  std::vector<std::string> list;
  std::istringstream in(paths);
  for (std::string path; std::getline(in, path, ',');) {
    if (!path.empty()) {
      list.push_back(path);
    }
  }
  return list;
}

std::string read_text(const std::string& path, int64_t limit) {
  std::error_code none;
  if (std::filesystem::is_directory(path, none)) {
    fail("cannot read '", path, "': it is a folder");
  }
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    fail("cannot read '", path, "': ", std::strerror(errno));
  }
  std::string text;
  std::string piece(1 << 16, '\0');
  while (in.read(piece.data(), static_cast<std::streamsize>(piece.size())) || in.gcount() > 0) {
    text.append(piece, 0, static_cast<size_t>(in.gcount()));
    if (static_cast<int64_t>(text.size()) > limit) {
      fail("cannot read '", path, "': larger than ", limit, " bytes");
    }
  }
  return text;
}

std::vector<SourceLine> read_lines(const std::string& paths, Comments comments) {
  std::vector<SourceLine> lines;
  for (const std::string& path : split_paths(paths)) {
    std::istringstream in(read_text(path));
    int64_t number = 0;
    for (std::string line; std::getline(in, line);) {
      ++number;
      if (!line.empty() && line.back() == '\r') {
        line.pop_back();
      }
      if (!line.empty() && (comments == Comments::none || line[0] != '#')) {
        lines.push_back({line, path + ":" + std::to_string(number)});
      }
    }
  }
  if (lines.empty()) {
    fail("no data lines in '", paths, "'");
  }
  return lines;
}

std::string excerpt(std::string_view text) {
  std::string out = "'";
  for (const char ch : text.substr(0, 60)) {
    out += ch >= 32 && ch < 127 ? ch : '?';
  }
  return out + (text.size() > 60 ? "...'" : "'");
}

std::string byte_text(int byte) {
  constexpr std::string_view kHex = "0123456789abcdef";
  if (byte == ' ') {
    return "space";
  }
  if (byte > 32 && byte < 127) {
    return std::string(1, static_cast<char>(byte));
  }
  const auto b = static_cast<uint8_t>(byte);
  return std::string("\\x") + kHex[b >> 4] + kHex[b & 15];
}

}  // namespace sv
