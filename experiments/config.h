// Settings from a TOML file and key=value overrides, through the fields of a settings struct.
//
//   TrainSettings settings;
//   load_settings(settings, {.file = "sudoku.toml", .overrides = {"train.lr=1e-3",
//   "depth.test=1..32"}});
//
// Every problem is found before anything is done: one sv::Error (Exit::input) lists them all, each
// with its place and, for a name, the nearest valid one.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/fields.h"

namespace sv {

// Limits of files from others (reliability: a config of a paper is an untrusted file).
inline constexpr int64_t kMaxConfigBytes = int64_t{1} << 20;
inline constexpr int kMaxConfigNesting = 16;
inline constexpr int kMaxConfigKeys = 10'000;
inline constexpr int kMaxExtends = 8;  // files below the first

struct ConfigSource {
  std::string file = {};                    // empty: defaults only
  std::vector<std::string> overrides = {};  // "key=value", applied in order after the file
};

/// Reads sources into fields and remembers what is wrong and where. `load_settings` is the usual
/// way in.
class ConfigReader {
 public:
  explicit ConfigReader(std::vector<Field> fields);

  /// A file of the form of to_toml(). `extends = "base.toml"` reads another file first; it must lie
  /// in the folder of the first file or below.
  void read_file(const std::string& path);
  /// The same from a text; messages call it `name`. `extends` is refused here.
  void read_text(std::string_view toml, const std::string& name);
  void read_override(std::string_view text);
  /// A problem that no single value shows; it is reported where the key was set last.
  void add_problem(const Problem& problem);
  /// Throws if anything is wrong; `settings` may be half read then.
  void finish() const;
  /// Where each key was set last: "file:line:column" or "override 'key=value'".
  const std::map<std::string, std::string>& set_at() const { return set_at_; }

 private:
  friend class TomlWalk;
  struct Entry {
    std::string place;
    std::string message;
    std::string unknown_key = {};   // its nearest name is looked up when the entry is printed
    uint32_t line = 0, column = 0;  // in a file
  };
  void sort_by_place(size_t first);
  void add(std::string place, std::string message);

  std::vector<Field> fields_;
  std::vector<std::string> keys_;
  std::map<std::string, std::string> set_at_;
  std::map<std::string, bool> overridden_;
  std::vector<Entry> problems_;
};

/// Reads `source` over the present values of `settings` and checks them, struct-wide rules
/// included. Returns where each key that was set was set last; throws one error with every problem.
template <class S>
std::map<std::string, std::string> load_settings(S& settings, const ConfigSource& source) {
  S candidate = settings;
  ConfigReader reader(fields_of(candidate));
  if (!source.file.empty()) {
    reader.read_file(source.file);
  }
  for (const std::string& text : source.overrides) {
    reader.read_override(text);
  }
  for (const Problem& problem : problems_of(candidate)) {
    reader.add_problem(problem);
  }
  reader.finish();
  settings = std::move(candidate);
  return reader.set_at();
}

/// The resolved settings as TOML: what a run folder keeps as spec.toml.
template <class S>
std::string settings_toml(const S& settings) {
  S copy = settings;
  return to_toml(fields_of(copy));
}

/// Digest of the resolved settings.
template <class S>
std::string settings_digest(const S& settings) {
  S copy = settings;
  return digest_of(fields_of(copy));
}

/// The table of --help: every key with type, unit, range, default and meaning.
template <class S>
std::string settings_help(const S& defaults = {}) {
  S copy = defaults;
  return help_table(fields_of(copy));
}

}  // namespace sv
