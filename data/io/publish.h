// Publishing: a file appears under its name complete and durable, or not at all, and its digest is
// in the manifest.
//
//   temporary name -> write -> SHA-256 -> fsync -> rename -> fsync of the folder -> manifest
//   (published the same way)
//   -> only then is a predecessor removed.
//
// The manifest of a folder is `manifest.jsonl`: one line per file with size and SHA-256, and a last
// line with the SHA-256 of the lines before it, so that every damage of the manifest itself is seen
// too.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "data/io/files.h"

namespace sv {

inline constexpr const char* kManifestName = "manifest.jsonl";
inline constexpr int64_t kMaxPublishedBytes = int64_t{4} << 30;  // readers hold a file in memory

/// Where the body of a new file goes. A section is a named stretch of the file: on damage the
/// reader names it.
class ByteSink {
 public:
  virtual ~ByteSink() = default;
  virtual void write(std::span<const std::byte> bytes) = 0;
  /// Starts a new section at the current place.
  virtual void section(const std::string& name) = 0;
};

struct Section {
  std::string name;
  int64_t bytes = 0;
  std::string digest;  // the first 16 hex digits of its SHA-256: it locates damage, the file's
                       // digest detects it
  bool operator==(const Section&) const = default;
};

/// One line of a manifest.
struct Published {
  std::string name;  // plain file name inside the folder
  int64_t bytes = 0;
  std::string sha256;
  std::vector<Section> sections;
  // Contents that may still stand under this name while it is being replaced; empty once that is
  // done.
  std::vector<std::string> also;
  bool operator==(const Published&) const = default;
};

struct NewFile {
  std::string name;
  std::function<void(ByteSink&)> write;
};

/// The files of a folder that are published, sorted by name.
class Manifest {
 public:
  /// Reads and checks `folder`/manifest.jsonl. A folder without one has an empty manifest; a
  /// damaged one throws.
  static Manifest load(const std::string& folder, Files& files = real_files());
  static Manifest parse(std::string_view text, const std::string& source);
  std::string text() const;
  const Published* find(const std::string& name) const;
  const std::vector<Published>& entries() const { return entries_; }
  void put(Published entry);
  void drop(const std::string& name);

 private:
  std::vector<Published> entries_;
};

/// Publishes the files and lists them in the folder's manifest in one step: a crash leaves all of
/// them listed or none. `retire` names predecessors: they leave the manifest in the same step and
/// are removed after it is durable. A name that is already listed is replaced: until the end either
/// content is accepted. Files that only make sense together need fresh names
/// (checkpoint-000200.safetensors). One writer per folder.
std::vector<Published> publish(const std::string& folder,
                               const std::vector<NewFile>& new_files,
                               const std::vector<std::string>& retire = {},
                               Files& files = real_files());

/// One file whose content is already in memory.
Published publish_bytes(const std::string& path,
                        std::span<const std::byte> bytes,
                        Files& files = real_files());

/// Reads a published file and checks it against the manifest beside it. Not listed, another size or
/// another digest throws; the message names the file and, where the writer declared sections, the
/// damaged section.
std::vector<std::byte> read_published(const std::string& path, Files& files = real_files());

/// Throws unless the bytes have the size and SHA-256 of the entry.
void verify_published(std::span<const std::byte> bytes,
                      const Published& entry,
                      const std::string& path);

/// Removes temporary files that a crash left in the folder; returns how many. For the owner of the
/// folder only.
int remove_leftovers(const std::string& folder, Files& files = real_files());

}  // namespace sv
