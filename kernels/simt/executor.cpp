#include "kernels/simt/executor.h"

#include <algorithm>
#include <numeric>

namespace sv::simt {

namespace {

void check_shape(const Launch& launch) {
  const LaunchShape& s = launch.shape;
  const auto check = [&](bool good, const auto&... what) {
    if (!good) {
      throw Fault(detail::concat("kernel '", launch.kernel, "': ", what...));
    }
  };
  check(s.block > 0 && s.block % kWarp == 0 && s.block <= kMostThreads,
        "a block has a multiple of 32 threads, at most ",
        kMostThreads,
        ", got ",
        s.block);
  check(s.shared_bytes >= 0 && s.shared_bytes <= kMostSharedBytes,
        "a block has at most ",
        kMostSharedBytes,
        " bytes of shared memory, got ",
        s.shared_bytes);
  check(s.grid_x >= 0 && s.grid_y >= 0 && s.grid_z >= 0 && s.grid_y <= 65535 && s.grid_z <= 65535,
        "a grid has at most 65535 blocks in y and z, got (",
        s.grid_x,
        ", ",
        s.grid_y,
        ", ",
        s.grid_z,
        ")");
}

std::vector<int64_t> block_order(int64_t blocks, const Schedule& schedule) {
  std::vector<int64_t> order(static_cast<size_t>(blocks));
  std::iota(order.begin(), order.end(), int64_t{0});
  if (schedule.order == Schedule::Order::reversed) {
    std::reverse(order.begin(), order.end());
  }
  if (schedule.order == Schedule::Order::random) {
    for (size_t i = order.size(); i > 1; --i) {
      std::swap(order[i - 1], order[Choices::mix(schedule.seed ^ Choices::mix(i)) % i]);
    }
  }
  return order;
}

/// Rounds without progress on every OS thread after which nothing is going to happen.
constexpr int kQuietRounds = 3;

BlockIndex block_index(int64_t number, const LaunchShape& s) {
  return {static_cast<int>(number % s.grid_x),
          static_cast<int>(number / s.grid_x % s.grid_y),
          static_cast<int>(number / s.grid_x / s.grid_y)};
}

}  // namespace

Executor::Executor(int threads, SwitchKind kind) : kind_(kind) {
  for (int i = 0; i < std::max(threads, 1); ++i) {
    workers_.push_back(std::make_unique<Worker>());
  }
  for (size_t i = 1; i < workers_.size(); ++i) {
    threads_.emplace_back([this, i] { worker_main(i); });
  }
}

Executor::~Executor() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (std::thread& t : threads_) {
    t.join();
  }
}

void Executor::run(const Launch& launch, const Schedule& schedule) {
  check_shape(launch);
  const LaunchShape& s = launch.shape;
  const int64_t blocks = int64_t{s.grid_x} * s.grid_y * s.grid_z;
  {
    const std::lock_guard lock(mutex_);
    launch_ = &launch;
    schedule_ = schedule;
    order_ = block_order(blocks, schedule);
    next_ = 0;
    failed_at_ = SIZE_MAX;
    for (const auto& w : workers_) {
      w->quiet_at = -1;
      w->idle = blocks <= 1 && w != workers_[0];
    }
    if (blocks > 1) {
      ++generation_;
      busy_ = static_cast<int>(threads_.size());
    }
  }
  if (blocks > 1) {
    wake_.notify_all();
  }
  work(*workers_[0]);
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [&] { return busy_ == 0; });
  if (failure_) {
    std::rethrow_exception(std::exchange(failure_, nullptr));
  }
}

void Executor::worker_main(size_t index) {
  const SignalStack signals;
  int64_t seen = 0;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stop_ || generation_ != seen; });
      if (stop_) {
        break;
      }
      seen = generation_;
    }
    work(*workers_[index]);
    {
      const std::lock_guard lock(mutex_);
      --busy_;
    }
    idle_.notify_one();
  }
  workers_[index].reset();  // fibres end on the OS thread that ran them
}

/// Begins blocks while there are any, then goes round those that wait for others.
void Executor::work(Worker& me) {
  while (begin_block(me)) {
  }
  while (!me.waiting.empty()) {
    for (size_t i = 0; i < me.waiting.size();) {
      if (resume(me.waiting[i])) {
        me.spare.push_back(std::move(me.waiting[i].runner));
        me.waiting.erase(me.waiting.begin() + static_cast<int64_t>(i));
      } else {
        ++i;
      }
    }
    if (!me.waiting.empty() && is_stuck(me)) {
      const BlockRunner& first = *me.waiting[0].runner;
      fail_at(me.waiting[0].place,
              std::make_exception_ptr(Fault(
                  detail::concat("kernel '",
                                 launch_->kernel,
                                 "': deadlock: every thread waits for a value in global memory; ",
                                 first.waiting_text()))));
    }
    if (failed()) {
      for (Running& block : me.waiting) {
        block.runner->give_up();
        me.spare.push_back(std::move(block.runner));
      }
      me.waiting.clear();
    }
  }
  const std::lock_guard lock(mutex_);
  me.idle = true;
}

/// False if no block is left.
bool Executor::begin_block(Worker& me) {
  Running block;
  int64_t number;
  {
    const std::lock_guard lock(mutex_);
    if (next_ == order_.size() || failure_) {
      return false;
    }
    block.place = next_++;
    number = order_[block.place];
  }
  if (me.spare.empty()) {
    me.spare.push_back(std::make_unique<BlockRunner>(kind_));
  }
  block.runner = std::move(me.spare.back());
  me.spare.pop_back();
  block.runner->begin(*launch_, block_index(number, launch_->shape), schedule_);
  if (resume(block)) {
    me.spare.push_back(std::move(block.runner));
  } else {
    me.waiting.push_back(std::move(block));
  }
  return true;
}

/// Whether the block has come to its end, good or bad.
bool Executor::resume(Running& block) {
  try {
    const BlockRunner::Outcome outcome = block.runner->resume();
    if (outcome.done || outcome.advanced) {
      const std::lock_guard lock(mutex_);
      ++progress_;
    }
    return outcome.done;
  } catch (...) {
    fail_at(block.place, std::current_exception());
    return true;
  }
}
/// Whether every block under way, on all OS threads, waits for a value that nobody is going to
/// write.
bool Executor::is_stuck(Worker& me) {
  std::this_thread::yield();
  const std::lock_guard lock(mutex_);
  me.quiet_rounds = me.quiet_at == progress_ ? me.quiet_rounds + 1 : 0;
  me.quiet_at = progress_;
  return std::all_of(workers_.begin(), workers_.end(), [&](const auto& w) {
    return w->idle || (w->quiet_at == progress_ && w->quiet_rounds >= kQuietRounds);
  });
}

void Executor::fail_at(size_t place, const std::exception_ptr& failure) {
  const std::lock_guard lock(mutex_);
  if (place < failed_at_) {  // blocks before it were begun earlier, and still report
    failed_at_ = place;
    failure_ = failure;
  }
}

bool Executor::failed() {
  const std::lock_guard lock(mutex_);
  return failure_ != nullptr;
}

}  // namespace sv::simt
