// Files: the system calls of saving and loading behind one interface, so that tests can fail, stop
// or record each.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sv {

enum class OpenMode : uint8_t { read, create, folder };  // create: write only, emptied if it exists

/// POSIX-shaped primitives: a negative result means that errno says why. Nothing here throws or
/// retries.
class Files {
 public:
  virtual ~Files() = default;
  virtual int open(const std::string& path, OpenMode mode) = 0;
  virtual int64_t read(int fd, std::span<std::byte> into) = 0;
  virtual int64_t write(int fd, std::span<const std::byte> from) = 0;
  /// Bytes of a regular file; anything else is EINVAL, so that a pipe or a device is never read.
  virtual int64_t size(int fd) = 0;
  virtual int sync(int fd) = 0;
  virtual int close(int fd) = 0;
  virtual int rename(const std::string& from, const std::string& to) = 0;
  virtual int remove(const std::string& path) = 0;
  virtual int make_folder(const std::string& path) = 0;
  virtual int64_t free_bytes(const std::string& path) = 0;
};

/// The operating system. Stateless, hence shared.
Files& real_files();

/// Throws "cannot <operation> '<path>': <errno text>"; a full disk adds needed and free bytes. A
/// full disk, a failing device or missing rights are Exit::environment, a missing or unsuitable
/// path is Exit::input.
[[noreturn]] void fail_io(Files& files,
                          std::string_view operation,
                          const std::string& path,
                          int error,
                          int64_t needed = -1);

/// A file being written: short writes are continued, EINTR is retried, anything else throws.
class OutFile {
 public:
  OutFile(Files& files, const std::string& path);
  ~OutFile();
  OutFile(const OutFile&) = delete;
  OutFile& operator=(const OutFile&) = delete;
  void write(std::span<const std::byte> bytes);
  /// fsync: what was written so far survives a power cut.
  void sync();
  /// fsync, then close: afterwards the content survives a power cut (its name does after
  /// sync_folder).
  void sync_and_close();
  int64_t written() const { return written_; }

 private:
  Files& files_;
  std::string path_;
  int fd_ = -1;
  int64_t written_ = 0;
};

/// A regular file being read in order.
class InFile {
 public:
  InFile(Files& files, const std::string& path);
  ~InFile();
  InFile(const InFile&) = delete;
  InFile& operator=(const InFile&) = delete;
  int64_t size() const { return size_; }
  /// Fills `into`; a file that ends before that throws.
  void read(std::span<std::byte> into);

 private:
  Files& files_;
  std::string path_;
  int fd_ = -1;
  int64_t size_ = 0;
};

/// The whole regular file. Refuses more than `max_bytes` before anything is allocated.
std::vector<std::byte> read_file(const std::string& path,
                                 int64_t max_bytes,
                                 Files& files = real_files());
/// Whether the path can be opened for reading; other failures than "no such file" throw.
bool file_exists(const std::string& path, Files& files = real_files());
void rename_file(const std::string& from, const std::string& to, Files& files = real_files());
/// Removes a file; one that is already gone is fine.
void remove_file(const std::string& path, Files& files = real_files());
/// Makes the folder and its missing parents.
void make_folders(const std::string& path, Files& files = real_files());
/// fsync of a folder: makes renames and removals in it durable.
void sync_folder(const std::string& path, Files& files = real_files());
/// Throws (Exit::environment) unless the file system of `folder` has `needed` bytes free; for
/// estimates before a run.
void require_free(const std::string& folder, int64_t needed, Files& files = real_files());

/// The folder part of a path ("." when there is none) and the last part.
std::string folder_of(const std::string& path);
std::string name_of(const std::string& path);
std::string join_path(const std::string& folder, const std::string& name);

inline std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span<const char>(text.data(), text.size()));
}
inline std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace sv
