// Executor: runs the blocks of a launch over a few OS threads. The result does not depend on which
// thread runs which block, nor does the report: it is that of the first failing block of the order.
//
// A block that can only wait for a value in global memory is set aside and the next one begun, so
// all blocks of a grid can wait for each other (a grid barrier of a persistent kernel).
#pragma once
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "kernels/simt/block.h"

namespace sv::simt {

class Executor {
 public:
  explicit Executor(int threads = 2, SwitchKind kind = default_switch());
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  /// Returns when all blocks have ended; throws a Fault for a mistake in the kernel.
  void run(const Launch& launch, const Schedule& schedule);

 private:
  /// A block under way on one OS thread, and its place in the order.
  struct Running {
    std::unique_ptr<BlockRunner> runner;
    size_t place;
  };
  struct Worker {
    std::vector<std::unique_ptr<BlockRunner>> spare;  // runners kept for their stacks
    std::vector<Running> waiting;                     // blocks that wait for others
    int64_t quiet_at = -1;                            // value of progress_ ...
    int quiet_rounds = 0;                             // ... that did not change for so many rounds
    bool idle = false;                                // has no block
  };
  void worker_main(size_t index);
  void work(Worker& me);
  bool begin_block(Worker& me);
  bool resume(Running& block);
  bool is_stuck(Worker& me);
  void fail_at(size_t place, const std::exception_ptr& failure);
  bool failed();

  SwitchKind kind_;
  std::vector<std::unique_ptr<Worker>> workers_;  // one per OS thread, the caller's first
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable wake_, idle_;
  // Of the launch that runs:
  const Launch* launch_ = nullptr;
  Schedule schedule_;
  std::vector<int64_t> order_;  // block numbers as they are begun
  size_t next_ = 0;             // place in the order of the next block
  int64_t progress_ = 0;        // counts whatever another block may have waited for
  size_t failed_at_ = SIZE_MAX;
  std::exception_ptr failure_;
  int64_t generation_ = 0;
  int busy_ = 0;
  bool stop_ = false;
};

}  // namespace sv::simt
