// Rows from the arrays of an HDF5 file.
#include "core/check.h"
#include "data/io/h5.h"
#include "data/rows.h"

namespace sv {
namespace {

using Arrays = std::vector<std::vector<int32_t>>;

constexpr std::string_view kTruthArray = "truth_";
/// The integers of an array of whatever integer type.
std::vector<int32_t> read_integers(const H5Reader& r,
                                   const std::string& name,
                                   const std::string& path) {
  const auto element = r.element(name);
  if (element == Element::i32) {
    return r.read<int32_t>(name);
  }
  std::vector<int32_t> values;
  if (element == Element::u8) {
    const auto bytes = r.read<uint8_t>(name);
    values.assign(bytes.begin(), bytes.end());
    return values;
  }
  if (element != Element::i64) {
    fail(path, ": array '", name, "' must hold integers (i32, i64 or u8)");
  }
  for (const int64_t value : r.read<int64_t>(name)) {
    if (value < INT32_MIN || value > INT32_MAX) {
      fail(path, ": array '", name, "' holds ", value, ", more than 32 bits");
    }
    values.push_back(static_cast<int32_t>(value));
  }
  return values;
}

/// An array (example, position), (example, step, position) or (example) by rows.
struct Table {
  std::vector<int32_t> values;
  size_t steps = 1, width = 1;

  Arrays row(size_t i) const {
    Arrays out;
    for (size_t s = 0; s < steps; ++s) {
      const auto begin = values.begin() + static_cast<std::ptrdiff_t>((i * steps + s) * width);
      out.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(width));
    }
    return out;
  }
};

class H5Rows {
 public:
  H5Rows(const std::string& path, const std::string& sha256)
      : path_(path),
        reader_(path, sha256.empty() ? H5Trust::manifest() : H5Trust::digest(sha256), kLimits) {
    static const std::vector<std::string> kArrays{"tokens",
                                                  "targets",
                                                  "mask",
                                                  "length",
                                                  "difficulty",
                                                  "position_difficulty",
                                                  "roles",
                                                  "canonical",
                                                  "truth_NAME"};
    for (const std::string& name : reader_.list()) {
      if (!reader_.is_coordinate(name) && !name.starts_with(kTruthArray)) {
        detail::expect_known(name, kArrays, path + ": array");
      }
    }
    for (const char* name : {"tokens", "targets"}) {
      if (!reader_.has(name)) {
        fail(path, ": there is no array '", name, "'");
      }
    }
    const auto sizes = reader_.sizes("tokens");
    if (sizes.size() != 2 || sizes[1] < 1 || sizes[1] > kMaxRowPositions) {
      fail(path, ": 'tokens' must be (example, position) of 1 to ", kMaxRowPositions, " positions");
    }
    examples_ = sizes[0];
    positions_ = sizes[1];
  }

  std::vector<FileRow> rows() const {
    const Table tokens = table("tokens", 2), targets = table("targets", 3);
    const Table mask = table("mask", 2), lengths = table("length", 1);
    const Table difficulty = table("difficulty", 1), graded = table("position_difficulty", 2);
    const Table roles = table("roles", 2);
    std::map<std::string, Table> truths;
    for (const std::string& name : reader_.list()) {
      if (name.starts_with(kTruthArray) && !reader_.is_coordinate(name)) {
        truths[name.substr(kTruthArray.size())] = table(name, 3);
      }
    }
    std::vector<FileRow> out(static_cast<size_t>(examples_));
    for (size_t i = 0; i < out.size(); ++i) {
      FileRow& row = out[i];
      row.where = path_ + ": row " + std::to_string(i);
      row.tokens = tokens.row(i)[0];
      row.targets = targets.row(i);
      row.length = lengths.values.empty() ? static_cast<int>(positions_) : lengths.values[i];
      row.difficulty = difficulty.values.empty() ? 0 : difficulty.values[i];
      row.position_difficulty = graded.values.empty() ? graded.values : graded.row(i)[0];
      row.roles = roles.values.empty() ? roles.values : roles.row(i)[0];
      for (const auto& [name, truth] : truths) {
        row.truths[name] = truth.row(i);
      }
      if (!mask.values.empty()) {
        detail::apply_mask(mask.row(i)[0], &row);
      }
    }
    return out;
  }

 private:
  static constexpr H5Limits kLimits{int64_t{1} << 30, int64_t{2} << 30, 100, 256};

  /// The array of at most `rank` axes; empty where the file has none of the name.
  Table table(const std::string& name, size_t rank) const {
    if (!reader_.has(name)) {
      return {};
    }
    const auto sizes = reader_.sizes(name);
    const bool fits = !sizes.empty() && sizes[0] == examples_ && sizes.size() <= rank &&
                      (rank == 1 || (sizes.size() >= 2 && sizes.back() == positions_)) &&
                      (sizes.size() < 3 || (sizes[1] >= 1 && sizes[1] <= kMaxRowSteps));
    if (!fits) {
      std::string shape;
      for (const int64_t size : sizes) {
        shape += (shape.empty() ? "" : ", ") + std::to_string(size);
      }
      fail(path_,
           ": array '",
           name,
           "' is (",
           shape,
           "), expected (",
           examples_,
           rank == 1   ? ")"
           : rank == 2 ? ", "
                       : ", steps up to 1024, ",
           rank == 1 ? "" : std::to_string(positions_) + ")");
    }
    return {read_integers(reader_, name, path_),
            sizes.size() == 3 ? static_cast<size_t>(sizes[1]) : 1,
            rank == 1 ? 1 : static_cast<size_t>(positions_)};
  }

  std::string path_;
  H5Reader reader_;
  int64_t examples_ = 0, positions_ = 0;
};

}  // namespace

std::vector<FileRow> detail::read_h5_rows(const std::string& path, const std::string& sha256) {
  return H5Rows(path, sha256).rows();
}

}  // namespace sv
