// FailingFiles and RecordingFiles: the two implementations of Files that tests put around the real
// one.
#pragma once
#include <string>
#include <vector>

#include "data/io/files.h"

namespace sv {

/// One call that reached a Files object; `bytes` is filled for writes.
struct FileCall {
  enum class Op : uint8_t { open, read, write, size, sync, close, rename, remove, make_folder };
  Op op;
  std::string path;  // of open, rename (from), remove, make_folder; the opened path for calls on a
                     // descriptor
  std::string to;    // of rename
  std::vector<std::byte> bytes;
};

/// Passes every call on and keeps a list of them.
class RecordingFiles : public Files {
 public:
  explicit RecordingFiles(Files& base = real_files()) : base_(base) {}
  const std::vector<FileCall>& calls() const { return calls_; }

  int open(const std::string& path, OpenMode mode) override;
  int64_t read(int fd, std::span<std::byte> into) override;
  int64_t write(int fd, std::span<const std::byte> from) override;
  int64_t size(int fd) override;
  int sync(int fd) override;
  int close(int fd) override;
  int rename(const std::string& from, const std::string& to) override;
  int remove(const std::string& path) override;
  int make_folder(const std::string& path) override;
  int64_t free_bytes(const std::string& path) override { return base_.free_bytes(path); }

 private:
  std::string path_of(int fd) const;
  Files& base_;
  std::vector<FileCall> calls_;
  std::vector<std::pair<int, std::string>> open_;
};

/// What FailingFiles does at its n-th call.
struct Fault {
  enum class Kind : uint8_t {
    error,  // return -1 with `error`; a failing close still frees the descriptor, as Linux does
    short_count,  // move half of the bytes only (reads and writes; other calls are untouched)
    stop,         // the process dies before the call: throws ProcessStopped, later calls do nothing
    stop_torn,    // the same, after half of a write has reached the file
  };
  Kind kind = Kind::error;
  int error = 0;
  bool sticky = false;  // error: every later call that needs space fails too, as on a full disk
};

/// Thrown in place of dying. Not an sv::Error, so nothing in the program handles it.
struct ProcessStopped {};

/// Passes calls on until the n-th (counted from 1), where the fault happens.
class FailingFiles : public Files {
 public:
  FailingFiles(int n, Fault fault, Files& base = real_files())
      : base_(base), n_(n), fault_(fault) {}
  /// Whether the n-th call was reached.
  bool reached() const { return count_ >= n_; }

  int open(const std::string& path, OpenMode mode) override;
  int64_t read(int fd, std::span<std::byte> into) override;
  int64_t write(int fd, std::span<const std::byte> from) override;
  int64_t size(int fd) override;
  int sync(int fd) override;
  int close(int fd) override;
  int rename(const std::string& from, const std::string& to) override;
  int remove(const std::string& path) override;
  int make_folder(const std::string& path) override;
  int64_t free_bytes(const std::string& path) override { return base_.free_bytes(path); }

 private:
  // Counts a call; true when it must fail with errno as set here.
  bool trips(bool needs_space = false);
  Files& base_;
  int n_;
  Fault fault_;
  int count_ = 0;
  bool stopped_ = false;
};

}  // namespace sv
