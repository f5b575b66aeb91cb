// Executor: runs the blocks of a launch over a few OS threads. The result does not depend on which
// thread runs which block, nor does the report: it is that of the first failing block of the order.
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
  struct Work {
    const Launch* launch;
    Schedule schedule;
    std::vector<int64_t> order;  // block numbers as they are started
  };
  void worker(size_t index);
  void take_blocks(BlockRunner& runner);

  std::vector<std::unique_ptr<BlockRunner>> runners_;  // one per OS thread, the caller's first
  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable wake_, idle_;
  std::unique_ptr<Work> work_;
  size_t next_ = 0;  // place in the order of the next block
  int64_t generation_ = 0;
  int busy_ = 0;
  size_t failed_at_ = SIZE_MAX;  // place in the order of the first failure
  std::exception_ptr failure_;
  bool stop_ = false;
};

}  // namespace sv::simt
