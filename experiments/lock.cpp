#include "experiments/lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <sstream>
#include <utility>

#include "core/check.h"
#include "data/io/files.h"

namespace sv {
namespace {

struct Holder {
  int64_t pid = 0;
  std::string host;
};

[[noreturn]] void fail_lock(const char* what, const std::string& path) {
  throw Error(detail::concat("cannot ", what, " '", path, "': ", std::strerror(errno)),
              Exit::environment);
}

Holder read_holder(int fd) {
  std::array<char, 512> text{};
  const ssize_t n = pread(fd, text.data(), text.size() - 1, 0);
  Holder holder;
  std::istringstream in(std::string(text.data(), static_cast<size_t>(n < 0 ? 0 : n)));
  std::string word;
  in >> word >> holder.pid >> word >> holder.host;
  return holder;
}

void write_holder(int fd, const std::string& path) {
  const std::string text = detail::concat("pid ", getpid(), " host ", host_name(), "\n");
  if (ftruncate(fd, 0) != 0 ||
      pwrite(fd, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    fail_lock("write", path);
  }
}

/// Whether `path` still names the file behind `fd`: the former holder removes it when it ends.
bool same_file(int fd, const std::string& path) {
  struct stat ours {
  }, named{};
  return fstat(fd, &ours) == 0 && stat(path.c_str(), &named) == 0 && ours.st_ino == named.st_ino &&
         ours.st_dev == named.st_dev;
}

[[noreturn]] void refuse(const std::string& folder, const Holder& holder) {
  std::string who = "another process";
  if (holder.pid > 0) {
    who = detail::concat("process ", holder.pid, " on host ", holder.host);
  }
  throw Error(detail::concat("run folder '",
                             folder,
                             "' is in use by ",
                             who,
                             "; wait for it to end or choose another --out"),
              Exit::environment);
}

}  // namespace

std::string host_name() {
  std::array<char, 256> name{};
  gethostname(name.data(), name.size() - 1);
  return name.data();
}

FolderLock::FolderLock(const std::string& folder) : path_(join_path(folder, "lock")) {
  while (true) {
    fd_ = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd_ < 0) {
      fail_lock("create the lock", path_);
    }
    const bool locked = flock(fd_, LOCK_EX | LOCK_NB) == 0;
    const int why = locked ? 0 : errno;
    if (locked && same_file(fd_, path_)) {
      break;
    }
    const Holder holder = read_holder(fd_);
    close(std::exchange(fd_, -1));
    if (!locked && why != EINTR) {
      errno = why;
      why == EWOULDBLOCK ? refuse(folder, holder) : fail_lock("lock", path_);
    }
  }
  const Holder left = read_holder(fd_);
  if (left.pid > 0 && left.host != host_name()) {
    close(std::exchange(fd_, -1));
    throw Error(detail::concat("run folder '",
                               folder,
                               "' was locked by process ",
                               left.pid,
                               " on host ",
                               left.host,
                               "; if that process has ended, remove '",
                               path_,
                               "'"),
                Exit::environment);
  }
  if (left.pid > 0) {
    note_ = detail::concat(
        "took over the lock of process ", left.pid, ", which has ended without releasing it");
  }
  write_holder(fd_, path_);
}

FolderLock::FolderLock(FolderLock&& other) noexcept
    : path_(std::move(other.path_)),
      note_(std::move(other.note_)),
      fd_(std::exchange(other.fd_, -1)) {}

FolderLock::~FolderLock() {
  if (fd_ >= 0) {
    unlink(
        path_.c_str());  // before the unlock: whoever waits sees that its file is gone and retries
    close(fd_);
  }
}

}  // namespace sv
