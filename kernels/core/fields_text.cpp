// Whole settings as text: TOML, the canonical form behind the digest, and the help table.
#include <algorithm>
#include <array>

#include "core/digest.h"
#include "core/fields.h"

namespace sv {
namespace {

/// "model.block" of "model.block.width"; empty for a key at the top.
std::string_view group_of(std::string_view key) {
  const size_t dot = key.rfind('.');
  return dot == std::string_view::npos ? std::string_view{} : key.substr(0, dot);
}

std::string_view name_of(std::string_view key) {
  const size_t dot = key.rfind('.');
  return dot == std::string_view::npos ? key : key.substr(dot + 1);
}

/// Bytes that begin a character, which is what a terminal column is for the texts we print.
size_t columns(std::string_view text) {
  return static_cast<size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

}  // namespace

std::vector<std::string> keys_of(std::span<const Field> fields) {
  std::vector<std::string> keys;
  keys.reserve(fields.size());
  for (const Field& field : fields) {
    keys.push_back(field.key);
  }
  return keys;
}

const Field* find_field(std::span<const Field> fields, std::string_view key) {
  const auto at = std::ranges::find(fields, key, &Field::key);
  return at == fields.end() ? nullptr : &*at;
}

std::string to_toml(std::span<const Field> fields) {
  // Keys at the top come first: after a [table] header they would belong to that table.
  std::vector<std::string_view> groups{std::string_view{}};
  for (const Field& field : fields) {
    if (std::ranges::find(groups, group_of(field.key)) == groups.end()) {
      groups.push_back(group_of(field.key));
    }
  }
  std::string out;
  for (const std::string_view group : groups) {
    if (!group.empty()) {
      out.append(out.empty() ? "[" : "\n[").append(group).append("]\n");
    }
    for (const Field& field : fields) {
      if (group_of(field.key) == group) {
        out.append(name_of(field.key)).append(" = ").append(value_text(field)).append("\n");
      }
    }
  }
  return out;
}

std::string canonical_text(std::span<const Field> fields) {
  std::vector<std::string> lines;
  for (const Field& field : fields) {
    if (field.in_digest) {
      lines.push_back(field.key + " = " + value_text(field) + "\n");
    }
  }
  std::ranges::sort(lines);
  std::string out;
  for (const std::string& line : lines) {
    out += line;
  }
  return out;
}

std::string digest_of(std::span<const Field> fields) {
  return sha256_hex(canonical_text(fields));
}

std::string help_table(std::span<const Field> fields) {
  using Row = std::array<std::string, 6>;
  std::vector<Row> rows{{"key", "type", "unit", "range", "default", "meaning"}};
  for (const Field& f : fields) {
    const auto or_dash = [](std::string text) { return text.empty() ? std::string("-") : text; };
    rows.push_back(
        {f.key, type_text(f), or_dash(f.unit), or_dash(range_text(f)), value_text(f), f.help});
  }
  std::array<size_t, 5> width{};
  // A long list of choices or a long default may overhang: the other columns stay readable.
  constexpr std::array<size_t, 5> kWidest{28, 13, 12, 30, 20};
  for (const Row& row : rows) {
    for (size_t c = 0; c < width.size(); ++c) {
      width[c] = std::min(std::max(width[c], columns(row[c])), kWidest[c]);
    }
  }
  std::string out;
  for (const Row& row : rows) {
    for (size_t c = 0; c < width.size(); ++c) {
      const size_t used = columns(row[c]);
      out += row[c] + std::string((used < width[c] ? width[c] - used : 0) + 2, ' ');
    }
    out += row[5] + "\n";
  }
  return out;
}

}  // namespace sv
