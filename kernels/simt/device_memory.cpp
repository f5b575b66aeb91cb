#include "kernels/simt/device_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "core/check.h"

namespace sv::simt {

namespace {

constexpr size_t kPage = 4096;
constexpr size_t kAlign = 256;
constexpr int kPoison = 0xFF;
constexpr size_t kPattern = size_t{4} << 20;

size_t round_up(size_t n, size_t to) {
  return (n + to - 1) / to * to;
}

/// A file of poison that lives as long as its descriptor. Allocations are private mappings of it:
/// pages that no kernel touches cost neither memory nor time when access to all is switched, which
/// happens twice a launch.
int poison_file() {
  const int file = memfd_create("sv-poison", MFD_CLOEXEC);
  const std::vector<char> bytes(kPattern, static_cast<char>(kPoison));
  SV_CHECK(file >= 0 && write(file, bytes.data(), bytes.size()) == ssize_t{kPattern},
           "cannot make a file in memory");
  return file;
}

}  // namespace

DeviceMemory::DeviceMemory(size_t limit) : poison_(poison_file()), limit_(round_up(limit, kPage)) {
  void* p = mmap(nullptr, limit_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  SV_CHECK(p != MAP_FAILED, "cannot reserve ", limit_, " bytes for the simulated device");
  base_ = static_cast<std::byte*>(p);
  gaps_[base_] = limit_;
}

DeviceMemory::~DeviceMemory() {
  munmap(base_, limit_);
  close(poison_);
}

/// Poison from `begin` on.
void DeviceMemory::fill(std::byte* begin, size_t bytes) const {
  const int access = open_ ? PROT_READ | PROT_WRITE : PROT_NONE;
  for (size_t at = 0; at < bytes; at += kPattern) {
    const size_t piece = std::min(kPattern, bytes - at);
    SV_CHECK(mmap(begin + at, piece, access, MAP_PRIVATE | MAP_FIXED, poison_, 0) != MAP_FAILED,
             "mmap");
  }
}

void* DeviceMemory::alloc(size_t bytes) {
  const size_t padded = round_up(std::max<size_t>(bytes, 1), kAlign);
  const size_t pages = round_up(padded, kPage), need = pages + kPage;
  const auto gap =
      std::find_if(gaps_.begin(), gaps_.end(), [&](const auto& g) { return g.second >= need; });
  SV_CHECK(gap != gaps_.end(),
           "out of device memory: ",
           bytes,
           " bytes requested, ",
           limit_ - used_,
           " of ",
           limit_,
           " free");
  const auto [begin, size] = *gap;
  gaps_.erase(gap);
  if (size > need) {
    gaps_[begin + need] = size - need;
  }
  used_ += need;
  std::byte* p = begin + pages - padded;  // its end, up to alignment, is the guard page
  live_[p] = {bytes, begin, pages};
  fill(begin, pages);
  return p;
}

std::string DeviceMemory::damage() const {
  const auto intact = [](const std::byte* from, const std::byte* to) {
    return std::all_of(from, to, [](std::byte b) { return b == std::byte{kPoison}; });
  };
  for (const auto& [p, a] : live_) {
    for (const bool behind : {false, true}) {
      if (behind ? !intact(p + a.bytes, a.pages + a.page_bytes) : !intact(a.pages, p)) {
        return detail::concat(
            "wrote ", behind ? "behind" : "in front of", " an allocation of ", a.bytes, " bytes");
      }
    }
  }
  return {};
}

void DeviceMemory::free(void* p) {
  if (!p) {
    return;
  }
  const auto found = live_.find(static_cast<std::byte*>(p));
  SV_CHECK(found != live_.end(), "free of an address that is no allocation of the device");
  const Allocation a = found->second;
  // Gives the pages back and leaves none that can be touched.
  SV_CHECK(mmap(a.pages,
                a.page_bytes,
                PROT_NONE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED,
                -1,
                0) != MAP_FAILED,
           "mmap");
  live_.erase(found);
  used_ -= a.page_bytes + kPage;
  auto gap = gaps_.emplace(a.pages, a.page_bytes + kPage).first;
  const auto behind = std::next(gap);
  if (behind != gaps_.end() && gap->first + gap->second == behind->first) {
    gap->second += behind->second;
    gaps_.erase(behind);
  }
  if (gap != gaps_.begin()) {
    const auto before = std::prev(gap);
    if (before->first + before->second == gap->first) {
      before->second += gap->second;
      gaps_.erase(gap);
    }
  }
}

bool DeviceMemory::is_inside(const void* p) const {
  const auto* b = static_cast<const std::byte*>(p);
  return b >= base_ && b < base_ + limit_;
}

std::string DeviceMemory::describe(const void* p) const {
  auto* b = const_cast<std::byte*>(static_cast<const std::byte*>(p));
  auto found = live_.upper_bound(b);
  if (found == live_.begin()) {
    return "no allocation lies before it";
  }
  --found;
  return detail::concat(
      "byte ", b - found->first, " of an allocation of ", found->second.bytes, " bytes");
}

void DeviceMemory::expect_inside(const void* p, size_t bytes, const char* what) const {
  SV_CHECK(is_inside(p), what, ": the address is not device memory");
  auto* b = const_cast<std::byte*>(static_cast<const std::byte*>(p));
  const auto found = live_.upper_bound(b);
  const bool good = found != live_.begin() && [&] {
    const auto& [begin, a] = *std::prev(found);
    return b + bytes <= begin + a.bytes;
  }();
  SV_CHECK(good, what, " of ", bytes, " bytes at ", describe(p));
}

void DeviceMemory::expect_outside(const void* p, const char* what) const {
  SV_CHECK(!is_inside(p), what, ": the host's side is an address of the device");
}

void DeviceMemory::protect(int protection) {
  for (const auto& [p, a] : live_) {
    SV_CHECK(mprotect(a.pages, a.page_bytes, protection) == 0, "mprotect");
  }
}

DeviceMemory::Open::Open(DeviceMemory& memory) : memory_(memory) {
  if (memory_.open_++ == 0) {
    memory_.protect(PROT_READ | PROT_WRITE);
  }
}

DeviceMemory::Open::~Open() {
  if (--memory_.open_ == 0) {
    for (const auto& [p, a] : memory_.live_) {
      mprotect(a.pages, a.page_bytes, PROT_NONE);
    }
  }
}

}  // namespace sv::simt
