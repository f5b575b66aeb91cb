// BlockRunner: runs the threads of one block as fibres on one OS thread. A warp runs until each of
// its lanes waits at a warp op or at the block's barrier; then the op is performed or another warp
// runs. Whatever a GPU would leave undefined ends the block with a report.
#pragma once
#include <exception>
#include <memory>
#include <source_location>
#include <string>
#include <vector>

#include "core/check.h"
#include "kernels/memory/device.h"
#include "kernels/simt/context.h"
#include "kernels/simt/fibre.h"
#include "kernels/simt/schedule.h"
#include "kernels/simt/shared_memory.h"
#include "kernels/simt/warp_op.h"

namespace sv::simt {

using Site = std::source_location;
class ThreadContext;

/// A mistake in a kernel that the executor found; the message names kernel, block, warp, lanes and
/// line.
class Fault : public Error {
 public:
  using Error::Error;
};

/// One launch as the executor sees it.
struct Launch {
  const char* kernel = nullptr;
  void (*body)(ThreadContext&, const void* args) = nullptr;
  const void* args = nullptr;
  LaunchShape shape;
};

struct BlockIndex {
  int x = 0, y = 0, z = 0;
};

class BlockRunner {
 public:
  explicit BlockRunner(SwitchKind kind);
  ~BlockRunner();
  BlockRunner(const BlockRunner&) = delete;
  BlockRunner& operator=(const BlockRunner&) = delete;

  /// Runs one block to its end; throws the first mistake.
  void run(const Launch& launch, BlockIndex block, const Schedule& schedule);

  // --- for the thread that is running
  void barrier(int thread, const Site& site);
  /// Takes part in a warp op; the result lies in lane(thread).out.
  void warp_op(int thread, WarpOp op, const Site& site);
  /// Lets others run before a value in global memory is looked at once more.
  void poll(int thread, const Site& site);
  void copy_async(int thread, int offset, const void* from, int bytes, const Site& site);
  void commit_async(int thread);
  void wait_async(int thread, int groups);
  WarpLane& lane(int thread) { return lanes_[static_cast<size_t>(thread)].op; }
  SharedMemory& shared() { return shared_; }
  /// Throws the report of one thread; `running` is the thread that runs.
  [[noreturn]] void fault(int thread, const std::string& what);
  int running() const { return running_; }

 private:
  struct Copy {
    int offset, bytes, group;
    const void* from;
  };
  struct Lane {
    WarpLane op;
    Site site;  // where it waits
    std::unique_ptr<Fibre> fibre;
    std::vector<Copy> copies;  // under way, oldest first
    int group = 0;             // number of the asynchronous group that is open
    bool started = false;      // its fibre waits for the next block
  };
  struct Warp {
    uint32_t ready = 0, at_op = 0, at_barrier = 0, polling = 0, ended = 0;
  };

  static void fibre_entry(void* argument);
  void thread_main(int thread);
  void begin(const Launch& launch, BlockIndex block, const Schedule& schedule);
  void start_lane(int thread);
  void clean_up();
  /// Gives way to the next thread; returns when this one may go on.
  void give_way(int thread);
  /// The thread to run next: a number, or kDone.
  int next();
  bool resume_warp(int warp);
  void resolve_warp_op(int warp);
  bool resolve_block();
  void land(const Copy& copy);
  std::string where(int warp) const;
  [[noreturn]] void warp_fault(int warp, const std::string& what);

  static constexpr int kDone = -1;
  SwitchKind kind_;
  StackPool stacks_;
  Fibre main_;
  std::vector<Lane> lanes_;
  std::vector<Warp> warps_;
  SharedMemory shared_;
  const Launch* launch_ = nullptr;
  BlockIndex block_;
  Schedule schedule_;
  std::unique_ptr<Choices> choices_;
  int warp_ = 0;     // whose lanes run
  int running_ = 0;  // the thread that runs
  int64_t fruitless_polls_ = 0;
  bool quitting_ = false;
  std::exception_ptr failure_;
};

/// Lanes of a mask as text: "0-15, 17".
std::string lanes_text(uint32_t mask);

}  // namespace sv::simt
