// One process per run folder: a lock file with pid and host that dies with its process.
#pragma once
#include <string>

namespace sv {

/// Holds `folder`/lock while it lives. The lock itself is the kernel's (flock), so a killed process
/// never leaves it behind; the text in the file is for people and for other machines.
class FolderLock {
 public:
  /// Throws (Exit::environment) if another process holds it, or if the file was left by another
  /// host, where nobody can tell whether that process still runs.
  explicit FolderLock(const std::string& folder);
  ~FolderLock();
  FolderLock(FolderLock&& other) noexcept;
  FolderLock& operator=(FolderLock&&) = delete;

  /// "took over the lock of process 123, which has ended without releasing it", or empty.
  const std::string& note() const { return note_; }

 private:
  std::string path_;
  std::string note_;
  int fd_ = -1;
};

/// Name of this machine.
std::string host_name();

}  // namespace sv
