#include "kernels/simt/shared_memory.h"

#include <algorithm>

#include "core/check.h"

namespace sv::simt {

void SharedMemory::reset(int size) {
  size_ = size;
  bytes_.assign(static_cast<size_t>(size), std::byte{kPoison});
  shadow_.assign(static_cast<size_t>(size), unwritten);
}

bool SharedMemory::all(int offset, int count, State state) const {
  const uint8_t* begin = shadow_.data() + offset;
  if (count == 4) {
    uint32_t word;
    std::memcpy(&word, begin, 4);
    return word == state * 0x01010101u;
  }
  return std::all_of(begin, begin + count, [=](uint8_t s) { return s == state; });
}

std::string SharedMemory::objection(int offset, int count, Access access) const {
  for (int i = offset; i < offset + count; ++i) {
    const uint8_t state = shadow_[static_cast<size_t>(i)];
    if (state == in_flight) {
      return detail::concat(access == Access::read ? "reads" : "writes",
                            " shared byte ",
                            i,
                            " while an asynchronous copy to it is under way (wait_async missing)");
    }
    if (state == unwritten && access == Access::read) {
      return detail::concat("reads shared byte ", i, ", which nothing has written in this block");
    }
  }
  return {};
}

}  // namespace sv::simt
