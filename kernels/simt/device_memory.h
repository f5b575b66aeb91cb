// DeviceMemory: the memory of the SimtDevice, in pages of its own that the host cannot touch except
// while a kernel or a copy runs. Each allocation ends at a page that nobody can touch, and starts
// as 0xFF (NaN as a float).
#pragma once
#include <cstddef>
#include <map>
#include <string>

namespace sv::simt {

class DeviceMemory {
 public:
  /// `limit`: bytes that can be allocated, guards included.
  explicit DeviceMemory(size_t limit = size_t{2} << 30);
  ~DeviceMemory();
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  /// Aligned to 256 bytes. Throws with requested and free bytes when memory runs out.
  void* alloc(size_t bytes);
  void free(void* p);
  /// Allocations that live.
  size_t count() const { return live_.size(); }
  size_t used() const { return used_; }
  bool is_inside(const void* p) const;
  /// Throws unless the bytes lie in one allocation / outside device memory.
  void expect_inside(const void* p, size_t bytes, const char* what) const;
  void expect_outside(const void* p, const char* what) const;
  /// What is known about an address of the region: the allocation it belongs to or follows.
  std::string describe(const void* p) const;

  /// What a kernel wrote beside an allocation but in its pages; empty if nothing. While open.
  std::string damage() const;

  /// While one lives, device memory can be touched. May be nested.
  class Open {
   public:
    explicit Open(DeviceMemory& memory);
    ~Open();
    Open(const Open&) = delete;
    Open& operator=(const Open&) = delete;

   private:
    DeviceMemory& memory_;
  };

 private:
  struct Allocation {
    size_t bytes = 0;  // asked for
    std::byte* pages = nullptr;
    size_t page_bytes = 0;  // without the guard page behind
  };
  void protect(int protection);
  void fill(std::byte* begin, size_t bytes) const;

  int poison_;  // descriptor of a file of 0xFF
  std::byte* base_ = nullptr;
  size_t limit_;
  size_t used_ = 0;
  int open_ = 0;
  std::map<std::byte*, Allocation> live_;  // by address
  std::map<std::byte*, size_t> gaps_;      // free runs of pages, by address
};

}  // namespace sv::simt
