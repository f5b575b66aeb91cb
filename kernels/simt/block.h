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

  /// Takes a block; resume() then runs it.
  void begin(const Launch& launch, BlockIndex block, const Schedule& schedule);
  struct Outcome {
    bool done;      // otherwise all its threads wait for a value in global memory
    bool advanced;  // something happened besides looking at such values
  };
  /// Runs the block until it is done or can only wait for other blocks; throws the first mistake,
  /// after which another block can be begun. All on the same OS thread.
  Outcome resume();
  /// Ends a block that waits: another one can be begun.
  void give_up();
  /// Where a thread of a waiting block looks at global memory.
  std::string waiting_text() const;

  // --- for the thread that is running
  void barrier(int thread, const Site& site);
  /// Takes part in a warp op; the result lies in lane(thread).out.
  void warp_op(int thread, WarpOp op, const Site& site);
  /// Lets others run before a value in global memory is looked at once more.
  void poll(int thread, const Site& site);
  /// A thread has changed global memory in a way that others may wait for.
  void advance() { advanced_ = true; }
  void copy_async(int thread, int offset, const void* from, int bytes, const Site& site);
  void commit_async(int thread);
  void wait_async(int thread, int groups);
  WarpLane& lane(int thread) { return own(thread).op; }
  SharedMemory& shared() { return shared_; }
  /// Throws the report of one thread; `running` is the thread that runs.
  [[noreturn]] void fault(int thread, const std::string& what) const;
  /// For a signal handler: the running thread has touched memory that it must not touch. Does not
  /// come back: resume() throws with what `tell` makes of the address.
  [[noreturn]] void trap(std::string (*tell)(const void* address, bool writes),
                         const void* address,
                         bool writes);
  /// Whether the address lies below a fibre's stack.
  bool owns_guard(const void* p) const { return stacks_.is_guard(p); }
  int running() const { return running_; }
  /// The block whose thread runs on this OS thread, or null.
  static BlockRunner* current();

 private:
  struct Copy {
    int offset, bytes, group;
    const void* from;
  };
  struct Lane {
    WarpLane op;
    Site site;  // where it waits
    Fibre fibre;
    std::vector<Copy> copies;  // under way, oldest first
    int group = 0;             // number of the asynchronous group that is open
    bool started = false;      // its fibre waits for the next block
  };
  struct Warp {
    uint32_t ready = 0, at_op = 0, at_barrier = 0, polling = 0, ended = 0;
  };

  Lane& own(int thread) { return *lanes_[static_cast<size_t>(thread)]; }
  const Lane& own(int thread) const { return *lanes_[static_cast<size_t>(thread)]; }
  static void fibre_entry(void* argument);
  void thread_main(int thread);
  void start_lane(int thread);
  /// Gives way to the next thread; returns when this one may go on.
  void give_way(int thread);
  Fibre& follow(int thread);
  /// The thread to run next: a number, kDone or kWaiting.
  int next();
  void perform_warp_op(int warp);
  void check_barrier() const;
  void check_copy(int thread, int offset, const void* from, int bytes, const Site& site);
  [[noreturn]] void warp_fault(int warp, const std::string& what) const;

  static constexpr int kDone = -1, kWaiting = -2;
  SwitchKind kind_;
  StackPool stacks_;
  Fibre main_;
  std::vector<std::unique_ptr<Lane>> lanes_;  // a fibre's frames refer to its lane
  std::vector<Warp> warps_;
  SharedMemory shared_;
  const Launch* launch_ = nullptr;
  BlockIndex block_;
  Schedule schedule_;
  Choices choices_{{}, 0};
  int warp_ = 0;     // whose lanes run
  int running_ = 0;  // the thread that runs
  bool advanced_ = false;
  struct Trap {
    std::string (*tell)(const void*, bool) = nullptr;
    const void* address = nullptr;
    bool writes = false;
    int thread = 0;
  };
  Trap trap_;
  bool quitting_ = false;
  std::exception_ptr failure_;
};

/// Lanes of a mask as text: "lanes 0-15, 17".
std::string lanes_text(uint32_t mask);
/// "rmsnorm_body.h:30".
std::string site_text(const Site& site);
bool same_site(const Site& a, const Site& b);

}  // namespace sv::simt
