// A run folder, runs/<name>/: lock, resolved settings (spec.toml) and provenance (run.json).
//
//   RunFolder run = RunFolder::create("runs/sudoku", {.command = "train", .argv = args, .seeds =
//   {1, 2}}, toml, digest); Metrics metrics(run.file("metrics.jsonl"), -1);
//   ...
//   run.finish("done");
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "data/io/files.h"
#include "experiments/lock.h"

namespace sv {

/// What one start of the program says about itself.
struct RunStart {
  std::string command = {};            // "train", "resume", ...
  std::vector<std::string> argv = {};  // as given
  std::string device = "cpu";
  std::string isa = {};  // micro-kernels in use
  int threads = 1;
  std::vector<uint64_t> seeds = {};
};

class RunFolder {
 public:
  /// Makes the folder and writes spec.toml and run.json. A folder that already holds a run with the
  /// same spec digest is continued (existed() is true); another digest, or files that are no run,
  /// are refused (Exit::input) and left as they are.
  static RunFolder create(const std::string& path,
                          const RunStart& start,
                          const std::string& spec_toml,
                          const std::string& spec_digest,
                          Files& files = real_files());
  /// Opens an existing run to go on with it; adds this start to run.json.
  static RunFolder open(const std::string& path,
                        const RunStart& start,
                        Files& files = real_files());

  RunFolder(RunFolder&&) noexcept = default;

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return join_path(path_, name); }
  bool existed() const { return existed_; }
  /// Text of spec.toml.
  const std::string& spec_toml() const { return spec_toml_; }
  const std::string& spec_digest() const { return spec_digest_; }
  /// Something the user should read, such as a lock that was taken over; or empty.
  const std::string& note() const { return lock_.note(); }

  /// Adds a fact to the provenance ("kernel.matmul" = "avx2"); written by the next finish().
  void record(const std::string& key, const std::string& value) { facts_[key] = value; }
  /// Adds what this start turned out to be made with ("products"); written by the next finish().
  void record_start(const std::string& key, const std::string& value) { of_start_[key] = value; }
  /// Writes run.json with the end time. status: "done", "interrupted", "failed".
  void finish(const std::string& status);

 private:
  RunFolder(std::string path, FolderLock lock, Files& files);
  void load();
  void begin(const RunStart& start);

  std::string path_;
  FolderLock lock_;
  Files* files_;
  bool existed_ = false;
  std::string spec_toml_;
  std::string spec_digest_;
  std::string run_json_;  // as last written
  std::map<std::string, std::string> facts_, of_start_;
};

/// Digest in the run.json of a folder, without locking it; nothing if the folder holds no run.
std::optional<std::string> run_spec_digest(const std::string& path, Files& files = real_files());

/// `out`/`name` for a name that is one plain folder name: letters, digits, '.', '_' and '-', not
/// starting with
/// '.' or '-'. Throws (Exit::input) otherwise.
std::string run_path(const std::string& out, const std::string& name);

/// "2026-01-31T12:00:00Z", now.
std::string utc_now();

}  // namespace sv
