// Fault injection and recording around another Files.
#include "data/io/files_testing.h"

#include <algorithm>
#include <cerrno>

namespace sv {

std::string RecordingFiles::path_of(int fd) const {
  for (const auto& [open_fd, path] : open_) {
    if (open_fd == fd) {
      return path;
    }
  }
  return {};
}

int RecordingFiles::open(const std::string& path, OpenMode mode) {
  const int fd = base_.open(path, mode);
  calls_.push_back({FileCall::Op::open, path, {}, {}});
  if (fd >= 0) {
    open_.emplace_back(fd, path);
  }
  return fd;
}

int64_t RecordingFiles::read(int fd, std::span<std::byte> into) {
  calls_.push_back({FileCall::Op::read, path_of(fd), {}, {}});
  return base_.read(fd, into);
}

int64_t RecordingFiles::write(int fd, std::span<const std::byte> from) {
  calls_.push_back({FileCall::Op::write, path_of(fd), {}, {from.begin(), from.end()}});
  return base_.write(fd, from);
}

int64_t RecordingFiles::size(int fd) {
  calls_.push_back({FileCall::Op::size, path_of(fd), {}, {}});
  return base_.size(fd);
}

int RecordingFiles::sync(int fd) {
  calls_.push_back({FileCall::Op::sync, path_of(fd), {}, {}});
  return base_.sync(fd);
}

int RecordingFiles::close(int fd) {
  calls_.push_back({FileCall::Op::close, path_of(fd), {}, {}});
  std::erase_if(open_, [fd](const auto& entry) { return entry.first == fd; });
  return base_.close(fd);
}

int RecordingFiles::rename(const std::string& from, const std::string& to) {
  calls_.push_back({FileCall::Op::rename, from, to, {}});
  return base_.rename(from, to);
}

int RecordingFiles::remove(const std::string& path) {
  calls_.push_back({FileCall::Op::remove, path, {}, {}});
  return base_.remove(path);
}

int RecordingFiles::make_folder(const std::string& path) {
  calls_.push_back({FileCall::Op::make_folder, path, {}, {}});
  return base_.make_folder(path);
}

bool FailingFiles::trips(bool needs_space) {
  if (stopped_) {  // the process is gone: what unwinding still calls must leave no trace
    errno = EIO;
    return true;
  }
  ++count_;
  if (fault_.kind == Fault::Kind::error) {
    const bool failed = count_ == n_ || (fault_.sticky && needs_space && count_ > n_);
    errno = failed ? fault_.error : errno;
    return failed;
  }
  if (count_ == n_ && (fault_.kind == Fault::Kind::stop || fault_.kind == Fault::Kind::stop_torn)) {
    stopped_ = true;
    throw ProcessStopped{};
  }
  return false;
}

int FailingFiles::open(const std::string& path, OpenMode mode) {
  return trips(mode == OpenMode::create) ? -1 : base_.open(path, mode);
}

int64_t FailingFiles::read(int fd, std::span<std::byte> into) {
  if (trips()) {
    return -1;
  }
  const bool halve = fault_.kind == Fault::Kind::short_count && count_ == n_;
  return base_.read(fd, halve ? into.first((into.size() + 1) / 2) : into);
}

int64_t FailingFiles::write(int fd, std::span<const std::byte> from) {
  const auto half = from.first((from.size() + 1) / 2);
  if (fault_.kind == Fault::Kind::stop_torn && count_ + 1 == n_ && !stopped_) {
    base_.write(fd, half);
  }
  if (trips(true)) {
    return -1;
  }
  const bool halve = fault_.kind == Fault::Kind::short_count && count_ == n_;
  return base_.write(fd, halve ? half : from);
}

int64_t FailingFiles::size(int fd) {
  return trips() ? -1 : base_.size(fd);
}

int FailingFiles::sync(int fd) {
  return trips(true) ? -1 : base_.sync(fd);
}

int FailingFiles::close(int fd) {
  bool failed = true;
  try {
    failed = trips();
  } catch (const ProcessStopped&) {
    // Closing happens in destructors, which must not throw; every later call fails, so nothing is
    // left to do.
  }
  const int error = errno;
  const int result = base_.close(fd);  // always: a failing close frees the descriptor all the same
  errno = failed ? error : errno;
  return failed ? -1 : result;
}

int FailingFiles::rename(const std::string& from, const std::string& to) {
  return trips(true) ? -1 : base_.rename(from, to);
}

int FailingFiles::remove(const std::string& path) {
  return trips() ? -1 : base_.remove(path);
}

int FailingFiles::make_folder(const std::string& path) {
  return trips(true) ? -1 : base_.make_folder(path);
}

}  // namespace sv
