// Life of a block's threads and the choice of who runs; what is checked lies in block_checks.cpp.
#include "kernels/simt/block.h"

#include <utility>

#include "kernels/simt/thread_context.h"

namespace sv::simt {

namespace {

constexpr uint32_t kAllLanes = 0xffffffffu;

uint32_t bit(int thread) {
  return uint32_t{1} << (thread % kWarp);
}

thread_local BlockRunner* current_block = nullptr;

}  // namespace

BlockRunner* BlockRunner::current() {
  return current_block;
}

BlockRunner::BlockRunner(SwitchKind kind) : kind_(kind) {}

BlockRunner::~BlockRunner() {
  // Each fibre leaves for good, so that the sanitizers can release what they hold for it.
  quitting_ = true;
  main_.adopt_thread(kind_);
  for (size_t t = 0; t < lanes_.size(); ++t) {
    running_ = static_cast<int>(t);
    if (!own(static_cast<int>(t)).started) {
      start_lane(running_);
    }
    main_.switch_to(own(static_cast<int>(t)).fibre);
  }
}

void BlockRunner::begin(const Launch& launch, BlockIndex block, const Schedule& schedule) {
  launch_ = &launch;
  block_ = block;
  schedule_ = schedule;
  const LaunchShape& shape = launch.shape;
  const uint64_t number =
      static_cast<uint64_t>((int64_t{block.z} * shape.grid_y + block.y) * shape.grid_x + block.x);
  choices_ = Choices(schedule, number + 1);
  shared_.reset(shape.shared_bytes, schedule.find_races);
  warps_.assign(static_cast<size_t>(shape.block / kWarp), {});
  for (Warp& warp : warps_) {
    warp.ready = kAllLanes;
  }
  while (lanes_.size() < static_cast<size_t>(shape.block)) {
    lanes_.push_back(std::make_unique<Lane>());
  }
  main_.adopt_thread(kind_);
  for (int t = 0; t < shape.block; ++t) {
    Lane& lane = own(t);
    lane.copies.clear();
    lane.group = 0;
    if (!lane.started) {
      start_lane(t);
    }
  }
  warp_ = choices_.pick(static_cast<uint32_t>((uint64_t{1} << warps_.size()) - 1));
}

BlockRunner::Outcome BlockRunner::resume() {
  for (Warp& warp : warps_) {
    warp.ready |= std::exchange(warp.polling, 0u);
  }
  advanced_ = false;
  current_block = this;
  main_.switch_to(follow(next()));
  current_block = nullptr;
  if (trap_.tell) {
    give_up();
    const Trap trap = std::exchange(trap_, {});
    fault(trap.thread, trap.tell(trap.address, trap.writes));
  }
  if (failure_) {
    give_up();
    std::rethrow_exception(std::exchange(failure_, nullptr));
  }
  return {running_ == kDone, advanced_};
}

/// The frames of threads under way are abandoned; their fibres start afresh.
void BlockRunner::give_up() {
  for (const auto& lane : lanes_) {
    lane->started = false;
  }
}

void BlockRunner::start_lane(int thread) {
  Lane& lane = own(thread);
  const StackPool::Stack stack = stacks_.stack(thread);
  lane.fibre.start(kind_, stack.low, stack.size, fibre_entry, this);
  lane.started = true;
}

void BlockRunner::fibre_entry(void* argument) {
  auto* runner = static_cast<BlockRunner*>(argument);
  runner->thread_main(runner->running_);
}

/// Life of a fibre: one body per block.
void BlockRunner::thread_main(int thread) {
  Fibre& me = own(thread).fibre;
  me.entered();
  while (!quitting_) {
    Fibre* to = &main_;
    try {
      ThreadContext context(*this, thread, launch_->shape, block_);
      launch_->body(context, launch_->args);
      if (!own(thread).copies.empty()) {
        fault(thread, "returns with asynchronous copies under way (wait_async missing)");
      }
      Warp& warp = warps_[static_cast<size_t>(thread / kWarp)];
      warp.ready &= ~bit(thread);
      warp.ended |= bit(thread);
      advanced_ = true;
      to = &follow(next());
    } catch (...) {
      failure_ = std::current_exception();
    }
    me.switch_to(*to);
  }
  me.finish(main_);
}

/// Allocates nothing: the message is made by resume().
void BlockRunner::trap(std::string (*tell)(const void*, bool), const void* address, bool writes) {
  trap_ = {tell, address, writes, running_};
  own(running_).fibre.switch_to(main_);
  std::terminate();  // a fibre that was given up is never switched to
}

/// Makes `thread` (or kDone, kWaiting) the one that runs, and says where to switch to.
Fibre& BlockRunner::follow(int thread) {
  running_ = thread;
  shared_.set_running(thread);
  return thread < 0 ? main_ : own(thread).fibre;
}

/// Leaves `thread`, which waits, for the next one; returns when it may go on.
void BlockRunner::give_way(int thread) {
  const int follower = next();
  if (follower != thread) {
    own(thread).fibre.switch_to(follow(follower));
  }
}

int BlockRunner::next() {
  for (;;) {
    Warp& warp = warps_[static_cast<size_t>(warp_)];
    if (warp.ready) {
      return warp_ * kWarp + choices_.pick(warp.ready);
    }
    if (warp.at_op && !warp.polling) {
      perform_warp_op(warp_);
      warp.at_op = 0;
      warp.ready = kAllLanes;
      continue;
    }
    uint32_t ready = 0, polling = 0, waiting = 0;
    for (size_t w = 0; w < warps_.size(); ++w) {
      ready |= (warps_[w].ready ? 1u : 0u) << w;
      polling |= warps_[w].polling;
      waiting |= warps_[w].at_barrier;
    }
    if (ready) {
      warp_ = choices_.pick(ready);
    } else if (polling) {
      return kWaiting;
    } else if (waiting) {
      check_barrier();
      shared_.barrier_opened();
      for (Warp& w : warps_) {
        w.ready = std::exchange(w.at_barrier, 0u);
      }
      warp_ = choices_.pick(static_cast<uint32_t>((uint64_t{1} << warps_.size()) - 1));
    } else {
      return kDone;
    }
  }
}

void BlockRunner::barrier(int thread, const Site& site) {
  Warp& warp = warps_[static_cast<size_t>(thread / kWarp)];
  warp.ready &= ~bit(thread);
  warp.at_barrier |= bit(thread);
  own(thread).site = site;
  advanced_ = true;
  give_way(thread);
}

void BlockRunner::warp_op(int thread, WarpOp op, const Site& site) {
  Warp& warp = warps_[static_cast<size_t>(thread / kWarp)];
  warp.ready &= ~bit(thread);
  warp.at_op |= bit(thread);
  Lane& me = own(thread);
  me.op.op = op;
  me.site = site;
  advanced_ = true;
  give_way(thread);
}

void BlockRunner::poll(int thread, const Site& site) {
  Warp& warp = warps_[static_cast<size_t>(thread / kWarp)];
  warp.ready &= ~bit(thread);
  warp.polling |= bit(thread);
  own(thread).site = site;
  give_way(thread);
}

void BlockRunner::copy_async(
    int thread, int offset, const void* from, int bytes, const Site& site) {
  check_copy(thread, offset, from, bytes, site);
  Lane& me = own(thread);
  const Copy copy{offset, bytes, me.group, from};
  shared_.poison(offset, bytes);
  if (!schedule_.late_copies) {
    std::memcpy(shared_.at(offset), from, static_cast<size_t>(bytes));
  }
  shared_.mark(offset, bytes, SharedMemory::in_flight);
  me.copies.push_back(copy);
}

void BlockRunner::commit_async(int thread) {
  ++own(thread).group;
}

void BlockRunner::wait_async(int thread, int groups) {
  Lane& me = own(thread);
  // Groups 0 .. group - 1 are closed; the last `groups` of them may stay under way.
  const int landed = me.group - groups;
  auto copy = me.copies.begin();
  for (; copy != me.copies.end() && copy->group < landed; ++copy) {
    if (schedule_.late_copies) {
      std::memcpy(shared_.at(copy->offset), copy->from, static_cast<size_t>(copy->bytes));
    }
    // What others see is a write at this moment.
    shared_.mark(copy->offset, copy->bytes, SharedMemory::written);
    const std::string why = shared_.access(copy->offset, copy->bytes, Access::write);
    if (!why.empty()) {
      fault(thread, "wait_async: " + why);
    }
  }
  me.copies.erase(me.copies.begin(), copy);
}

}  // namespace sv::simt
