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

}  // namespace

Executor::Executor(int threads, SwitchKind kind) {
  for (int i = 0; i < std::max(threads, 1); ++i) {
    runners_.push_back(std::make_unique<BlockRunner>(kind));
  }
  for (size_t i = 1; i < runners_.size(); ++i) {
    workers_.emplace_back([this, i] { worker(i); });
  }
}

Executor::~Executor() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (std::thread& t : workers_) {
    t.join();
  }
}

void Executor::run(const Launch& launch, const Schedule& schedule) {
  check_shape(launch);
  const LaunchShape& s = launch.shape;
  const int64_t blocks = int64_t{s.grid_x} * s.grid_y * s.grid_z;
  {
    const std::lock_guard lock(mutex_);
    work_ = std::make_unique<Work>(Work{&launch, schedule, block_order(blocks, schedule)});
    next_ = 0;
    failed_at_ = SIZE_MAX;
    failure_ = nullptr;
    if (blocks > 1) {
      ++generation_;
      busy_ = static_cast<int>(workers_.size());
    }
  }
  if (blocks > 1) {
    wake_.notify_all();
  }
  take_blocks(*runners_[0]);
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [&] { return busy_ == 0; });
  work_.reset();
  if (failure_) {
    std::rethrow_exception(std::exchange(failure_, nullptr));
  }
}

void Executor::worker(size_t index) {
  int64_t seen = 0;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stop_ || generation_ != seen; });
      if (stop_) {
        return;
      }
      seen = generation_;
    }
    take_blocks(*runners_[index]);
    {
      const std::lock_guard lock(mutex_);
      --busy_;
    }
    idle_.notify_one();
  }
}

void Executor::take_blocks(BlockRunner& runner) {
  for (;;) {
    size_t place;
    int64_t number;
    {
      const std::lock_guard lock(mutex_);
      if (next_ == work_->order.size() || failure_) {
        return;
      }
      place = next_++;
      number = work_->order[place];
    }
    const LaunchShape& s = work_->launch->shape;
    const BlockIndex block{static_cast<int>(number % s.grid_x),
                           static_cast<int>(number / s.grid_x % s.grid_y),
                           static_cast<int>(number / s.grid_x / s.grid_y)};
    try {
      runner.run(*work_->launch, block, work_->schedule);
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (place < failed_at_) {  // blocks before it were started earlier, and still report
        failed_at_ = place;
        failure_ = std::current_exception();
      }
    }
  }
}

}  // namespace sv::simt
