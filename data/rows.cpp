#include "data/rows.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/check.h"
#include "core/digest.h"
#include "core/nearest.h"
#include "data/io/json.h"
#include "data/io/publish.h"
#include "data/lines.h"

namespace sv {
namespace {

using nlohmann::json;
using Arrays = std::vector<std::vector<int32_t>>;

int32_t integer(const json& value, const std::string& what, int32_t low, int32_t high) {
  const bool fits = value.is_number_integer() && value >= low && value <= high;
  if (!fits) {
    fail(what, " is ", excerpt(value.dump()), ", expected an integer from ", low, " to ", high);
  }
  return value.get<int32_t>();
}

std::vector<int32_t> integers(const json& list, const std::string& what) {
  if (!list.is_array()) {
    fail(what, " is ", excerpt(list.dump()), ", expected a list of integers");
  }
  std::vector<int32_t> values;
  for (const json& value : list) {
    // Ranges are checked later, alike for both formats.
    values.push_back(
        integer(value, what + "[" + std::to_string(values.size()) + "]", INT32_MIN, INT32_MAX));
  }
  return values;
}

/// A list of integers, or of such lists: one per step.
Arrays steps_of(const json& list, const std::string& what) {
  if (!list.is_array() || list.empty() || !list[0].is_array()) {
    return {integers(list, what)};
  }
  Arrays steps;
  for (const json& step : list) {
    steps.push_back(integers(step, what + "[" + std::to_string(steps.size()) + "]"));
  }
  return steps;
}

FileRow parse_row(const SourceLine& line) {
  const JsonLimits limits{size_t{1} << 20, 5, 200'000, 256};
  const json j = parse_json(line.text, line.where, limits);
  if (!j.is_object()) {
    fail(line.where, ": an object is expected, got ", excerpt(line.text));
  }
  static const std::vector<std::string> kKeys{"tokens",
                                              "targets",
                                              "mask",
                                              "length",
                                              "difficulty",
                                              "position_difficulty",
                                              "roles",
                                              "truths",
                                              "question",
                                              "steps",
                                              "answer"};
  for (const auto& [key, value] : j.items()) {
    detail::expect_known(key, kKeys, line.where);
  }
  FileRow row;
  row.where = line.where;
  const auto what = [&](const char* key) { return line.where + ": '" + key + "'"; };
  const auto list = [&](const char* key) {
    return j.contains(key) ? integers(j[key], what(key)) : std::vector<int32_t>{};
  };
  if (j.contains("difficulty")) {
    row.difficulty = integer(j["difficulty"], what("difficulty"), 0, 1'000'000);
  }
  if (j.contains("question") || j.contains("answer")) {
    for (const auto& [key, value] : j.items()) {
      detail::expect_known(key, {"question", "steps", "answer", "difficulty"}, line.where);
    }
    row.question = integers(json_member(j, "question", line.where), what("question"));
    row.answer = integers(json_member(j, "answer", line.where), what("answer"));
    if (j.contains("steps") && !j["steps"].empty()) {
      row.steps = steps_of(j["steps"], what("steps"));
    }
    return row;
  }
  row.tokens = integers(json_member(j, "tokens", line.where), what("tokens"));
  row.targets = steps_of(json_member(j, "targets", line.where), what("targets"));
  row.length = j.contains("length") ? integer(j["length"], what("length"), 1, kMaxRowPositions)
                                    : static_cast<int>(row.tokens.size());
  row.position_difficulty = list("position_difficulty");
  row.roles = list("roles");
  if (j.contains("truths")) {
    if (!j["truths"].is_object()) {
      fail(what("truths"), " must be an object: a list for each name");
    }
    for (const auto& [name, value] : j["truths"].items()) {
      row.truths[name] = steps_of(value, line.where + ": truth '" + name + "'");
    }
  }
  if (j.contains("mask")) {
    detail::apply_mask(list("mask"), &row);
  }
  return row;
}

bool is_hdf5(const std::string& path) {
  constexpr std::string_view kMagic = "\x89HDF\r\n\x1a\n";
  std::string head(kMagic.size(), '\0');
  std::ifstream(path, std::ios::binary)
      .read(head.data(), static_cast<std::streamsize>(head.size()));
  return head == kMagic;
}

/// The digest under which the file may be opened; empty: its manifest's.
std::string trusted_digest(const std::string& path, const std::string& trusted) {
  const std::string manifest = (std::filesystem::path(path).parent_path() / kManifestName).string();
  if (trusted.empty() && std::filesystem::exists(manifest)) {
    return {};
  }
  std::string digest = sha256_hex(read_file(path, int64_t{1} << 30));
  const std::vector<std::string> list = split_paths(trusted);
  if (std::ranges::find(list, digest) == list.end()) {
    fail(path,
         ": an HDF5 file without a manifest is opened only if its SHA-256 is given, for libhdf5 is "
         "not safe with files from anywhere. If you trust it: sha256=",
         digest);
  }
  return digest;
}

}  // namespace

namespace detail {

void expect_known(const std::string& key,
                  const std::vector<std::string>& known,
                  const std::string& where) {
  if (std::ranges::find(known, key) == known.end()) {
    std::string list;
    for (const std::string& k : known) {
      list += (list.empty() ? "" : ", ") + k;
    }
    fail(where, ": ", excerpt(key), " is not one of: ", list, did_you_mean(key, known));
  }
}

void apply_mask(const std::vector<int32_t>& mask, FileRow* row) {
  if (mask.size() != row->tokens.size()) {
    fail(row->where, ": 'mask' has ", mask.size(), " entries, 'tokens' has ", row->tokens.size());
  }
  for (size_t t = 0; t < mask.size(); ++t) {
    if (mask[t] != 0 && mask[t] != 1) {
      fail(row->where, ": 'mask'[", t, "] is ", mask[t], ", expected 0 or 1");
    }
    for (std::vector<int32_t>& step : row->targets) {
      if (mask[t] == 0 && t < step.size()) {
        step[t] = -1;
      }
    }
  }
}

}  // namespace detail

std::vector<FileRow> read_rows(const std::string& paths, const std::string& trusted) {
  std::vector<FileRow> rows;
  for (const std::string& path : split_paths(paths)) {
    if (is_hdf5(path)) {
      std::ranges::move(detail::read_h5_rows(path, trusted_digest(path, trusted)),
                        std::back_inserter(rows));
    } else {
      for (const SourceLine& line : read_lines(path)) {
        rows.push_back(parse_row(line));
      }
    }
  }
  if (rows.empty()) {
    fail("no examples in '", paths, "'");
  }
  for (const FileRow& row : rows) {
    detail::check_row(row, rows[0]);
  }
  return rows;
}

}  // namespace sv
