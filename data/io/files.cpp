// The operating system behind Files, and the helpers that turn errno into errors with path,
// operation and reason.
#include "data/io/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "core/check.h"

namespace sv {
namespace {

class RealFiles final : public Files {
 public:
  int open(const std::string& path, OpenMode mode) override {
    switch (mode) {
      case OpenMode::read:  // O_NONBLOCK: opening a pipe by mistake must not wait for its writer
        return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
      case OpenMode::create:
        return ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
      case OpenMode::folder:
        return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECTORY);
    }
    errno = EINVAL;
    return -1;
  }
  int64_t read(int fd, std::span<std::byte> into) override {
    return ::read(fd, into.data(), into.size());
  }
  int64_t write(int fd, std::span<const std::byte> from) override {
    return ::write(fd, from.data(), from.size());
  }
  int64_t size(int fd) override {
    struct stat info {};
    if (::fstat(fd, &info) != 0) {
      return -1;
    }
    if (!S_ISREG(info.st_mode)) {
      errno = S_ISDIR(info.st_mode) ? EISDIR : EINVAL;
      return -1;
    }
    return info.st_size;
  }
  int sync(int fd) override { return ::fsync(fd); }
  int close(int fd) override { return ::close(fd); }
  int rename(const std::string& from, const std::string& to) override {
    return ::rename(from.c_str(), to.c_str());
  }
  int remove(const std::string& path) override { return ::unlink(path.c_str()); }
  int make_folder(const std::string& path) override { return ::mkdir(path.c_str(), 0755); }
  int64_t free_bytes(const std::string& path) override {
    struct statvfs info {};
    if (::statvfs(path.c_str(), &info) != 0) {
      return -1;
    }
    return static_cast<int64_t>(info.f_bavail) * static_cast<int64_t>(info.f_frsize);
  }
};

Exit exit_of(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
    case EISDIR:
    case ELOOP:
    case EINVAL:
    case ENAMETOOLONG:
      return Exit::input;
    default:
      return Exit::environment;
  }
}

// Repeats a call that a signal interrupted.
template <class Call>
auto uninterrupted(Call&& call) {
  auto result = call();
  while (result < 0 && errno == EINTR) {
    result = call();
  }
  return result;
}

// Closes on every way out.
struct Closer {
  Files& files;
  int fd;
  ~Closer() { files.close(fd); }
};

}  // namespace

Files& real_files() {
  static RealFiles files;
  return files;
}

void fail_io(
    Files& files, std::string_view operation, const std::string& path, int error, int64_t needed) {
  const char* symbol = strerrorname_np(error);
  std::string text = detail::concat("cannot ",
                                    operation,
                                    " '",
                                    path,
                                    "': ",
                                    std::strerror(error),
                                    " (",
                                    symbol ? symbol : std::to_string(error),
                                    ")");
  if (error == ENOSPC || error == EDQUOT) {
    const int64_t available = files.free_bytes(folder_of(path));
    text +=
        needed >= 0 ? detail::concat("; at least ", needed, " bytes are needed") : std::string();
    text += available >= 0 ? detail::concat("; ", available, " bytes are free") : std::string();
  }
  throw Error(text, exit_of(error));
}

OutFile::OutFile(Files& files, const std::string& path) : files_(files), path_(path) {
  fd_ = uninterrupted([&] { return files_.open(path_, OpenMode::create); });
  if (fd_ < 0) {
    fail_io(files_, "create", path_, errno);
  }
}

OutFile::~OutFile() {
  if (fd_ >= 0) {
    files_.close(fd_);
  }
}

void OutFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const int64_t n = uninterrupted([&] { return files_.write(fd_, bytes); });
    if (n <= 0) {  // a write of nothing would loop for ever; treat it as a failing device
      fail_io(files_,
              "write",
              path_,
              n < 0 ? errno : EIO,
              written_ + static_cast<int64_t>(bytes.size()));
    }
    written_ += n;
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
}

void OutFile::sync() {
  if (uninterrupted([&] { return files_.sync(fd_); }) < 0) {
    fail_io(files_, "fsync", path_, errno, written_);
  }
}

void OutFile::sync_and_close() {
  sync();
  const int fd = fd_;
  fd_ = -1;
  // Linux frees the descriptor even when close is interrupted, and the content is already synced.
  if (files_.close(fd) < 0 && errno != EINTR) {
    fail_io(files_, "close", path_, errno, written_);
  }
}

InFile::InFile(Files& files, const std::string& path) : files_(files), path_(path) {
  fd_ = uninterrupted([&] { return files_.open(path_, OpenMode::read); });
  if (fd_ < 0) {
    fail_io(files_, "open", path_, errno);
  }
  size_ = uninterrupted([&] { return files_.size(fd_); });
  if (size_ < 0) {
    const int error = errno;
    files_.close(fd_);
    fail_io(files_, "read", path_, error);
  }
}

InFile::~InFile() {
  files_.close(fd_);
}

void InFile::read(std::span<std::byte> into) {
  while (!into.empty()) {
    const int64_t n = uninterrupted([&] { return files_.read(fd_, into); });
    if (n < 0) {
      fail_io(files_, "read", path_, errno);
    }
    if (n == 0) {
      fail("'", path_, "' ended ", into.size(), " bytes early: it was cut short while being read");
    }
    into = into.subspan(static_cast<size_t>(n));
  }
}

std::vector<std::byte> read_file(const std::string& path, int64_t max_bytes, Files& files) {
  InFile in(files, path);
  if (in.size() > max_bytes) {
    fail("'", path, "' has ", in.size(), " bytes, more than the limit of ", max_bytes);
  }
  std::vector<std::byte> bytes(static_cast<size_t>(in.size()));
  in.read(bytes);
  return bytes;
}

bool file_exists(const std::string& path, Files& files) {
  const int fd = uninterrupted([&] { return files.open(path, OpenMode::read); });
  if (fd >= 0) {
    files.close(fd);
    return true;
  }
  if (errno != ENOENT && errno != ENOTDIR) {
    fail_io(files, "open", path, errno);
  }
  return false;
}

void rename_file(const std::string& from, const std::string& to, Files& files) {
  if (uninterrupted([&] { return files.rename(from, to); }) < 0) {
    fail_io(files, "rename '" + from + "' to", to, errno);
  }
}

void remove_file(const std::string& path, Files& files) {
  if (uninterrupted([&] { return files.remove(path); }) < 0 && errno != ENOENT) {
    fail_io(files, "remove", path, errno);
  }
}

void make_folders(const std::string& path, Files& files) {
  for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    if (uninterrupted([&] { return files.make_folder(part); }) < 0 && errno != EEXIST) {
      fail_io(files, "make folder", part, errno);
    }
    if (end == std::string::npos || end + 1 == path.size()) {
      return;
    }
  }
}

void sync_folder(const std::string& path, Files& files) {
  const int fd = uninterrupted([&] { return files.open(path, OpenMode::folder); });
  if (fd < 0) {
    fail_io(files, "open folder", path, errno);
  }
  const Closer closer{files, fd};
  if (uninterrupted([&] { return files.sync(fd); }) < 0) {
    fail_io(files, "fsync folder", path, errno);
  }
}

void require_free(const std::string& folder, int64_t needed, Files& files) {
  const int64_t available = files.free_bytes(folder);
  if (available < 0) {
    fail_io(files, "ask for free space of", folder, errno);
  }
  if (available < needed) {
    throw Error(detail::concat("not enough space in '",
                               folder,
                               "': ",
                               needed,
                               " bytes are needed, ",
                               available,
                               " bytes are free"),
                Exit::environment);
  }
}

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

std::string name_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

std::string join_path(const std::string& folder, const std::string& name) {
  return folder.empty() || folder.back() == '/' ? folder + name : folder + '/' + name;
}

}  // namespace sv
