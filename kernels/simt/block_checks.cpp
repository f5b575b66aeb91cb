// What BlockRunner checks, and the reports.
#include <string_view>

#include "kernels/simt/block.h"

namespace sv::simt {

namespace {

constexpr uint32_t kAllLanes = 0xffffffffu;

std::string op_text(WarpOp op, const Site& site) {
  return detail::concat(warp_op_name(op), " (", site_text(site), ")");
}

}  // namespace

std::string site_text(const Site& site) {
  const std::string path = site.file_name();
  return detail::concat(path.substr(path.rfind('/') + 1), ":", site.line());
}

bool same_site(const Site& a, const Site& b) {
  return a.line() == b.line() && a.column() == b.column() &&
         std::string_view(a.file_name()) == b.file_name();
}

std::string lanes_text(uint32_t mask) {
  std::string text;
  for (int i = 0; i < kWarp; ++i) {
    if (mask >> i & 1) {
      int last = i;
      while (last + 1 < kWarp && (mask >> (last + 1) & 1)) {
        ++last;
      }
      text += (text.empty() ? "" : ", ") + std::to_string(i);
      text += last > i ? "-" + std::to_string(last) : "";
      i = last;
    }
  }
  return (mask & (mask - 1) ? "lanes " : "lane ") + text;
}

/// Performs the op for which warp w waits, if all its lanes brought the same from the same line.
void BlockRunner::perform_warp_op(int w) {
  const Warp& warp = warps_[static_cast<size_t>(w)];
  const auto lane_of = [&](uint32_t mask) -> const Lane& {
    return own(w * kWarp + __builtin_ctz(mask));
  };
  const Lane& first = lane_of(warp.at_op);
  const std::string what = "divergent warp op: ";
  if (warp.at_op != kAllLanes) {
    std::string rest = lanes_text(warp.at_op) + " at " + op_text(first.op.op, first.site);
    if (warp.ended) {
      rest += ", " + lanes_text(warp.ended) + " returned";
    }
    if (warp.at_barrier) {
      rest += detail::concat(", ",
                             lanes_text(warp.at_barrier),
                             " at barrier (",
                             site_text(lane_of(warp.at_barrier).site),
                             ")");
    }
    warp_fault(w, what + rest);
  }
  WarpLane* lanes[kWarp];
  uint32_t same = 0;
  for (int i = 0; i < kWarp; ++i) {
    Lane& lane = own(w * kWarp + i);
    lanes[i] = &lane.op;
    const bool equal = lane.op.op == first.op.op && same_site(lane.site, first.site);
    same |= (equal ? 1u : 0u) << i;
  }
  if (same != kAllLanes) {
    const Lane& other = lane_of(~same);
    warp_fault(w,
               detail::concat(what,
                              lanes_text(same),
                              " at ",
                              op_text(first.op.op, first.site),
                              ", ",
                              lanes_text(~same),
                              " elsewhere, the first at ",
                              op_text(other.op.op, other.site)));
  }
  if (first.op.op == WarpOp::barrier) {
    shared_.warp_barrier_opened(w);
  }
  const std::string why = perform(lanes, shared_, w * kWarp);
  if (!why.empty()) {
    warp_fault(w, op_text(first.op.op, first.site) + ": " + why);
  }
}

/// Nobody can run and some wait at the barrier: all must, and at the same one.
void BlockRunner::check_barrier() const {
  const Lane* first = nullptr;
  for (size_t t = 0; t < warps_.size() * kWarp; ++t) {
    const bool waits = warps_[t / kWarp].at_barrier >> (t % kWarp) & 1;
    first = waits && !first ? &own(static_cast<int>(t)) : first;
    if (waits && !same_site(first->site, own(static_cast<int>(t)).site)) {
      warp_fault(static_cast<int>(t / kWarp),
                 detail::concat("lane ",
                                t % kWarp,
                                " waits at the barrier of ",
                                site_text(own(static_cast<int>(t)).site),
                                ", other threads at that of ",
                                site_text(first->site)));
    }
  }
  for (size_t w = 0; w < warps_.size(); ++w) {
    if (warps_[w].ended) {
      warp_fault(static_cast<int>(w),
                 detail::concat(lanes_text(warps_[w].ended),
                                " returned before the barrier (",
                                site_text(first->site),
                                ") at which other threads wait"));
    }
  }
}

void BlockRunner::check_copy(
    int thread, int offset, const void* from, int bytes, const Site& site) {
  const auto address = reinterpret_cast<uintptr_t>(from);
  if (offset % bytes != 0 || address % static_cast<uintptr_t>(bytes) != 0) {
    fault(thread,
          detail::concat("misaligned copy_async (",
                         site_text(site),
                         "): ",
                         bytes,
                         " bytes to shared byte ",
                         offset,
                         " from a global address ",
                         address % static_cast<uintptr_t>(bytes),
                         " bytes past a multiple of ",
                         bytes));
  }
  const std::string why = shared_.access(offset, bytes, Access::write);
  if (!why.empty()) {
    fault(thread, detail::concat("copy_async (", site_text(site), ") ", why));
  }
}

std::string BlockRunner::waiting_text() const {
  for (size_t t = 0; t < warps_.size() * kWarp; ++t) {
    if (warps_[t / kWarp].polling >> (t % kWarp) & 1) {
      return detail::concat("thread ",
                            t,
                            " of block (",
                            block_.x,
                            ", ",
                            block_.y,
                            ", ",
                            block_.z,
                            ") at ",
                            site_text(own(static_cast<int>(t)).site));
    }
  }
  return "nobody";
}

void BlockRunner::warp_fault(int warp, const std::string& what) const {
  throw Fault(detail::concat("kernel '",
                             launch_->kernel,
                             "', block (",
                             block_.x,
                             ", ",
                             block_.y,
                             ", ",
                             block_.z,
                             "), warp ",
                             warp,
                             ": ",
                             what,
                             " [",
                             schedule_.text(),
                             "]"));
}

void BlockRunner::fault(int thread, const std::string& what) const {
  warp_fault(thread / kWarp, detail::concat("lane ", thread % kWarp, " ", what));
}

void shared_fault(BlockRunner& block, const std::string& what) {
  block.fault(block.running(), what);
}

void view_fault(BlockRunner& block, int64_t index, int count, int offset, int element) {
  block.fault(block.running(),
              detail::concat("touches element ",
                             index,
                             " of a view of ",
                             count,
                             " elements of ",
                             element,
                             " bytes from shared byte ",
                             offset));
}

}  // namespace sv::simt
