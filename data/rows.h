// Examples in files of the user's own: JSON lines or HDF5 arrays of the same names, each checked
// against one schema (data/README.md has the table). Every error names file and line or row, the
// key and the value.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace sv {

/// One example as its file gives it: arrays of the same length n, not yet padded.
struct FileRow {
  std::vector<int32_t> tokens;                // (n)
  std::vector<std::vector<int32_t>> targets;  // S of (n); -1 = not asked
  int length = 0;                             // positions in use, <= n
  int difficulty = 0;
  std::vector<int32_t> position_difficulty;                         // (n) or empty
  std::vector<int32_t> roles;                                       // (n) or empty
  std::map<std::string, std::vector<std::vector<int32_t>>> truths;  // steps of (n)
  std::vector<int32_t> question, answer;                            // a written solution: these
  std::vector<std::vector<int32_t>> steps;                          // instead of tokens, targets
  std::string where;                                                // "path:line", "path: row i"

  bool written() const { return !question.empty(); }
};

inline constexpr int kMaxRowPositions = 4096;
inline constexpr int kMaxSymbols = 65536;
inline constexpr int kMaxRowSteps = 1024;  // of targets and of a truth

/// The rows of all files, at least one, all of the same kind: targets and truths of the same steps
/// and names, written or not. HDF5 files are opened if the manifest of their folder lists them or
/// `trusted` (SHA-256, separated by commas) holds their digest.
std::vector<FileRow> read_rows(const std::string& paths, const std::string& trusted);

namespace detail {
/// Rows of one HDF5 file; an empty digest: the manifest's.
std::vector<FileRow> read_h5_rows(const std::string& path, const std::string& sha256);
/// Throws unless the row keeps to the schema and is of the kind of the first row.
void check_row(const FileRow& row, const FileRow& first);
/// Throws for an unknown key and names the nearest.
void expect_known(const std::string& key,
                  const std::vector<std::string>& known,
                  const std::string& where);
/// Targets that `mask` (1 asked, 0 not) leaves out become -1.
void apply_mask(const std::vector<int32_t>& mask, FileRow* row);
}  // namespace detail

}  // namespace sv
