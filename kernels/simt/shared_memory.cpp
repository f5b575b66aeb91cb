#include "kernels/simt/shared_memory.h"

#include "core/check.h"
#include "kernels/simt/context.h"

namespace sv::simt {

namespace {

uint32_t warp_bit(int thread) {
  return uint32_t{1} << (thread / kWarp);
}

}  // namespace

void SharedMemory::reset(int size, bool find_races) {
  size_ = size;
  find_races_ = find_races;
  bytes_.assign(static_cast<size_t>(size), std::byte{kPoison});
  shadow_.assign(static_cast<size_t>(size), unwritten);
  if (find_races && history_.size() < bytes_.size()) {
    history_.resize(bytes_.size());
  }
  ++epoch_;
}

std::string SharedMemory::access_by(int thread, int offset, int count, Access access) {
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
    if (find_races_) {
      std::string why = race(thread, i, access);
      if (!why.empty()) {
        return why;
      }
    }
  }
  return {};
}

/// An access conflicts with an earlier one of another thread in the same epoch, or of another lane
/// in the same warp epoch, if one of them is a write.
std::string SharedMemory::race(int thread, int byte, Access access) {
  History& h = history_[static_cast<size_t>(byte)];
  const uint32_t warp_epoch = warp_epochs_[static_cast<size_t>(thread / kWarp)];
  const auto conflicts = [&](int other, uint32_t its_warp_epoch) {
    return other != thread && (other / kWarp != thread / kWarp || its_warp_epoch == warp_epoch);
  };
  if (h.write_epoch == epoch_ && conflicts(h.writer, h.write_warp_epoch)) {
    return race_text(thread, byte, access, h.writer, "wrote");
  }
  if (access == Access::read) {
    if (h.read_epoch != epoch_) {
      h.read_epoch = epoch_;
      h.reading_warps = 0;
      h.several = false;
    } else if (h.reader / kWarp == thread / kWarp && h.read_warp_epoch == warp_epoch) {
      h.several = h.several || h.reader != thread;
    } else {
      h.several = false;
    }
    h.reading_warps |= warp_bit(thread);
    h.reader = static_cast<int16_t>(thread);
    h.read_warp_epoch = warp_epoch;
    return {};
  }
  if (h.read_epoch == epoch_) {
    const uint32_t others = h.reading_warps & ~warp_bit(thread);
    if (others) {
      const int other =
          h.reader / kWarp == thread / kWarp ? __builtin_ctz(others) * kWarp : int{h.reader};
      return race_text(thread, byte, access, other, "(or its warp) read");
    }
    if (conflicts(h.reader, h.read_warp_epoch) || (h.several && h.read_warp_epoch == warp_epoch)) {
      return race_text(thread, byte, access, h.reader, "(or its warp) read");
    }
  }
  h.write_epoch = epoch_;
  h.write_warp_epoch = warp_epoch;
  h.writer = static_cast<int16_t>(thread);
  return {};
}

std::string SharedMemory::race_text(
    int thread, int byte, Access access, int other, const char* did) const {
  const bool same_warp = thread / kWarp == other / kWarp;
  return detail::concat(access == Access::read ? "reads" : "writes",
                        " shared byte ",
                        byte,
                        ", which thread ",
                        other,
                        " ",
                        did,
                        " without a ",
                        same_warp ? "warp_barrier" : "barrier",
                        " between (race)");
}

}  // namespace sv::simt
