#include "kernels/simt/block.h"

#include <algorithm>

#include "kernels/simt/thread_context.h"

namespace sv::simt {

namespace {

constexpr uint32_t kAllLanes = 0xffffffffu;
/// Looks at a global value, all threads waiting, after which nobody can be going to write it.
constexpr int64_t kMostPolls = 100'000;

std::string site_text(const Site& site) {
  const std::string path = site.file_name();
  return detail::concat(path.substr(path.rfind('/') + 1), ":", site.line());
}
bool same_site(const Site& a, const Site& b) {
  return a.line() == b.line() && a.column() == b.column() &&
         std::string_view(a.file_name()) == b.file_name();
}
uint32_t bit(int thread) {
  return uint32_t{1} << (thread % kWarp);
}

}  // namespace

std::string lanes_text(uint32_t mask) {
  std::string text;
  for (int i = 0; i < kWarp; ++i) {
    if (!(mask >> i & 1)) {
      continue;
    }
    int last = i;
    while (last + 1 < kWarp && (mask >> (last + 1) & 1)) {
      ++last;
    }
    text += (text.empty() ? "" : ", ") + std::to_string(i);
    text += last > i ? "-" + std::to_string(last) : "";
    i = last;
  }
  return (mask & (mask - 1) ? "lanes " : "lane ") + text;
}

BlockRunner::BlockRunner(SwitchKind kind) : kind_(kind), lanes_(kMostThreads) {
  warps_.reserve(kMostThreads / kWarp);
}

BlockRunner::~BlockRunner() {
  // Each fibre leaves for good, so that the sanitizers can release what they hold for it.
  quitting_ = true;
  main_.adopt_thread(kind_);
  for (size_t t = 0; t < lanes_.size(); ++t) {
    if (lanes_[t].fibre) {
      if (!lanes_[t].started) {
        start_lane(static_cast<int>(t));
      }
      main_.switch_to(*lanes_[t].fibre);
    }
  }
}

void BlockRunner::run(const Launch& launch, BlockIndex block, const Schedule& schedule) {
  begin(launch, block, schedule);
  const int first = next();
  running_ = first;
  main_.switch_to(*lanes_[static_cast<size_t>(first)].fibre);
  if (failure_) {
    clean_up();
    std::rethrow_exception(std::exchange(failure_, nullptr));
  }
}

void BlockRunner::begin(const Launch& launch, BlockIndex block, const Schedule& schedule) {
  launch_ = &launch;
  block_ = block;
  schedule_ = schedule;
  const LaunchShape& shape = launch.shape;
  const uint64_t number =
      static_cast<uint64_t>((int64_t{block.z} * shape.grid_y + block.y) * shape.grid_x + block.x);
  choices_ = std::make_unique<Choices>(schedule, number + 1);
  shared_.reset(launch.shape.shared_bytes);
  warps_.assign(static_cast<size_t>(launch.shape.block / kWarp), {});
  for (Warp& warp : warps_) {
    warp.ready = kAllLanes;
  }
  main_.adopt_thread(kind_);
  for (int t = 0; t < launch.shape.block; ++t) {
    Lane& lane = lanes_[static_cast<size_t>(t)];
    lane.copies.clear();
    lane.group = 0;
    if (!lane.started) {
      start_lane(t);
    }
  }
  fruitless_polls_ = 0;
  warp_ = choices_->pick(static_cast<uint32_t>((uint64_t{1} << warps_.size()) - 1));
}

void BlockRunner::start_lane(int thread) {
  Lane& lane = lanes_[static_cast<size_t>(thread)];
  if (!lane.fibre) {
    lane.fibre = std::make_unique<Fibre>();
  }
  const StackPool::Stack stack = stacks_.stack(thread);
  lane.op.parameter = thread;  // read by fibre_entry
  lane.fibre->start(kind_, stack.low, stack.size, fibre_entry, this);
  lane.started = true;
}

/// After a report: the frames of the other threads are given up, and their fibres start afresh.
void BlockRunner::clean_up() {
  for (Lane& lane : lanes_) {
    lane.started = false;
  }
}

void BlockRunner::fibre_entry(void* argument) {
  auto* runner = static_cast<BlockRunner*>(argument);
  runner->thread_main(runner->running_);
}

/// Life of a fibre: one body per block.
void BlockRunner::thread_main(int thread) {
  Lane& me = lanes_[static_cast<size_t>(thread)];
  me.fibre->entered();
  while (!quitting_) {
    try {
      ThreadContext context(*this, thread, launch_->shape, block_);
      launch_->body(context, launch_->args);
      if (!me.copies.empty()) {
        fault(thread, "returns with asynchronous copies under way (wait_async missing)");
      }
      Warp& warp = warps_[static_cast<size_t>(thread / kWarp)];
      warp.ready &= ~bit(thread);
      warp.ended |= bit(thread);
      fruitless_polls_ = 0;
      const int follower = next();
      running_ = follower;
      if (follower != kDone) {
        me.fibre->switch_to(*lanes_[static_cast<size_t>(follower)].fibre);
        continue;
      }
    } catch (...) {
      failure_ = std::current_exception();
    }
    me.fibre->switch_to(main_);
  }
  me.fibre->finish(main_);
}

void BlockRunner::give_way(int thread) {
  const int follower = next();
  if (follower == thread) {
    return;
  }
  running_ = follower;
  lanes_[static_cast<size_t>(thread)].fibre->switch_to(
      *lanes_[static_cast<size_t>(follower)].fibre);
}

int BlockRunner::next() {
  for (;;) {
    Warp& warp = warps_[static_cast<size_t>(warp_)];
    if (warp.ready) {
      return warp_ * kWarp + choices_->pick(warp.ready);
    }
    if (resume_warp(warp_)) {
      continue;
    }
    uint32_t others = 0;
    for (size_t w = 0; w < warps_.size(); ++w) {
      others |= (warps_[w].ready ? 1u : 0u) << w;
    }
    if (others) {
      warp_ = choices_->pick(others);
    } else if (!resolve_block()) {
      return kDone;
    }
  }
}

/// Performs the op for which a whole warp waits; false if it waits for other warps.
bool BlockRunner::resume_warp(int w) {
  Warp& warp = warps_[static_cast<size_t>(w)];
  if (!warp.at_op || warp.polling) {
    return false;
  }
  resolve_warp_op(w);
  warp.at_op = 0;
  warp.ready = kAllLanes;
  return true;
}

void BlockRunner::resolve_warp_op(int w) {
  const Warp& warp = warps_[static_cast<size_t>(w)];
  WarpLane* lanes[kWarp];
  const int leader = w * kWarp + __builtin_ctz(warp.at_op);
  const Lane& first = lanes_[static_cast<size_t>(leader)];
  const auto at = [](const Lane& lane) {
    return detail::concat(warp_op_name(lane.op.op), " (", site_text(lane.site), ")");
  };
  if (warp.at_op != kAllLanes) {
    std::string rest;
    if (warp.ended) {
      rest += detail::concat(", ", lanes_text(warp.ended), " returned");
    }
    if (warp.at_barrier) {
      const auto t = static_cast<size_t>(w * kWarp + __builtin_ctz(warp.at_barrier));
      rest += detail::concat(
          ", ", lanes_text(warp.at_barrier), " at barrier (", site_text(lanes_[t].site), ")");
    }
    warp_fault(
        w, detail::concat("divergent warp op: ", lanes_text(warp.at_op), " at ", at(first), rest));
  }
  uint32_t same = 0;
  for (int i = 0; i < kWarp; ++i) {
    Lane& lane = lanes_[static_cast<size_t>(w * kWarp + i)];
    lanes[i] = &lane.op;
    same |= lane.op.op == first.op.op && same_site(lane.site, first.site) ? bit(i) : 0u;
  }
  if (same != kAllLanes) {
    const Lane& other = lanes_[static_cast<size_t>(w * kWarp + __builtin_ctz(~same))];
    warp_fault(w,
               detail::concat("divergent warp op: ",
                              lanes_text(same),
                              " at ",
                              at(first),
                              ", ",
                              lanes_text(~same),
                              " elsewhere, the first at ",
                              at(other)));
  }
  const std::string why = perform(lanes, shared_);
  if (!why.empty()) {
    warp_fault(w, detail::concat(at(first), ": ", why));
  }
}

/// Nothing is ready: opens the barrier, or lets threads look at global memory again. False when all
/// have returned.
bool BlockRunner::resolve_block() {
  uint32_t polling = 0, ended = 0;
  const Site* site = nullptr;
  int waiting = 0, done = 0;
  for (size_t w = 0; w < warps_.size(); ++w) {
    polling |= warps_[w].polling;
    ended |= warps_[w].ended;
    waiting += __builtin_popcount(warps_[w].at_barrier);
    done += __builtin_popcount(warps_[w].ended);
  }
  if (polling) {
    if (++fruitless_polls_ > kMostPolls) {
      fault(running_, "deadlock: waits for a value in global memory that nobody is going to write");
    }
    for (Warp& warp : warps_) {
      warp.ready |= std::exchange(warp.polling, 0u);
    }
    return true;
  }
  if (!waiting) {
    return false;
  }
  for (size_t t = 0; t < warps_.size() * kWarp; ++t) {
    const Lane& lane = lanes_[t];
    const int w = static_cast<int>(t) / kWarp;
    const bool here = warps_[static_cast<size_t>(w)].at_barrier & bit(static_cast<int>(t));
    if (here && !site) {
      site = &lane.site;
    }
    if (here && !same_site(*site, lane.site)) {
      warp_fault(w,
                 detail::concat("lane ",
                                t % kWarp,
                                " waits at the barrier of ",
                                site_text(lane.site),
                                ", other threads at the one of ",
                                site_text(*site)));
    }
  }
  if (done) {
    for (size_t w = 0; w < warps_.size(); ++w) {
      if (warps_[w].ended) {
        warp_fault(static_cast<int>(w),
                   detail::concat(lanes_text(warps_[w].ended),
                                  " returned before the barrier (",
                                  site_text(*site),
                                  ") at which ",
                                  waiting,
                                  " threads wait"));
      }
    }
  }
  for (Warp& warp : warps_) {
    warp.ready |= std::exchange(warp.at_barrier, 0u);
  }
  uint32_t all = 0;
  for (size_t w = 0; w < warps_.size(); ++w) {
    all |= 1u << w;
  }
  warp_ = choices_->pick(all);
  return true;
}

void BlockRunner::barrier(int thread, const Site& site) {
  Warp& warp = warps_[static_cast<size_t>(thread / kWarp)];
  warp.ready &= ~bit(thread);
  warp.at_barrier |= bit(thread);
  lanes_[static_cast<size_t>(thread)].site = site;
  fruitless_polls_ = 0;
  give_way(thread);
}

void BlockRunner::warp_op(int thread, WarpOp op, const Site& site) {
  Warp& warp = warps_[static_cast<size_t>(thread / kWarp)];
  warp.ready &= ~bit(thread);
  warp.at_op |= bit(thread);
  Lane& me = lanes_[static_cast<size_t>(thread)];
  me.op.op = op;
  me.site = site;
  fruitless_polls_ = 0;
  give_way(thread);
}

void BlockRunner::poll(int thread, const Site& site) {
  Warp& warp = warps_[static_cast<size_t>(thread / kWarp)];
  warp.ready &= ~bit(thread);
  warp.polling |= bit(thread);
  lanes_[static_cast<size_t>(thread)].site = site;
  give_way(thread);
}

void BlockRunner::copy_async(
    int thread, int offset, const void* from, int bytes, const Site& site) {
  lanes_[static_cast<size_t>(thread)].site = site;
  const auto address = reinterpret_cast<uintptr_t>(from);
  if (offset % bytes != 0 || address % static_cast<uintptr_t>(bytes) != 0) {
    fault(thread,
          detail::concat("misaligned copy_async (",
                         site_text(site),
                         "): ",
                         bytes,
                         " bytes from global address 0x",
                         std::hex,
                         address,
                         std::dec,
                         " to shared byte ",
                         offset));
  }
  const std::string why = shared_.objection(offset, bytes, Access::write);
  if (!why.empty()) {
    fault(thread, detail::concat(why, " (", site_text(site), ")"));
  }
  Lane& me = lanes_[static_cast<size_t>(thread)];
  const Copy copy{offset, bytes, me.group, from};
  shared_.poison(offset, bytes);
  if (!schedule_.late_copies) {
    land(copy);
  }
  shared_.mark(offset, bytes, SharedMemory::in_flight);
  me.copies.push_back(copy);
}

void BlockRunner::land(const Copy& copy) {
  std::memcpy(shared_.at(copy.offset), copy.from, static_cast<size_t>(copy.bytes));
}

void BlockRunner::commit_async(int thread) {
  ++lanes_[static_cast<size_t>(thread)].group;
}

void BlockRunner::wait_async(int thread, int groups) {
  Lane& me = lanes_[static_cast<size_t>(thread)];
  // Groups 0 .. group - 1 are closed; the last `groups` of them may stay under way.
  const int landed = me.group - groups;
  auto copy = me.copies.begin();
  for (; copy != me.copies.end() && copy->group < landed; ++copy) {
    if (schedule_.late_copies) {
      land(*copy);
    }
    shared_.mark(copy->offset, copy->bytes, SharedMemory::written);
  }
  me.copies.erase(me.copies.begin(), copy);
}

std::string BlockRunner::where(int warp) const {
  return detail::concat("kernel '",
                        launch_->kernel,
                        "', block (",
                        block_.x,
                        ", ",
                        block_.y,
                        ", ",
                        block_.z,
                        "), warp ",
                        warp,
                        ": ");
}

void BlockRunner::warp_fault(int warp, const std::string& what) {
  throw Fault(where(warp) + what + " [" + schedule_.text() + "]");
}

void BlockRunner::fault(int thread, const std::string& what) {
  warp_fault(thread / kWarp, detail::concat("lane ", thread % kWarp, " ", what));
}

void shared_fault(BlockRunner& block, const std::string& what) {
  block.fault(block.running(), what);
}

void view_fault(BlockRunner& block, int64_t index, int count, int offset, int element) {
  block.fault(block.running(),
              detail::concat("element ",
                             index,
                             " of a view of ",
                             count,
                             " elements of ",
                             element,
                             " bytes from shared byte ",
                             offset));
}

}  // namespace sv::simt
