#include "kernels/simt/memory_faults.h"

#include <ucontext.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "core/check.h"
#include "kernels/simt/block.h"

namespace sv::simt {

namespace {

const DeviceMemory* watched = nullptr;  // a signal handler has no other way to its object

std::string access_text([[maybe_unused]] const void* context) {
#if defined(__x86_64__)
  const auto error = static_cast<const ucontext_t*>(context)->uc_mcontext.gregs[REG_ERR];
  return error & 2 ? "writes" : "reads";
#else
  return "touches";
#endif
}

/// The faults come from plain loads and stores of a body or a test, never from inside the
/// allocator, so that making a message here is safe.
void handle(int signal, siginfo_t* info, void* context) {
  BlockRunner* block = BlockRunner::current();
  const bool ours = watched && watched->is_inside(info->si_addr);
  if (block && (ours || block->owns_guard(info->si_addr))) {
    block->trap(ours ? detail::concat(access_text(context),
                                      " global memory that it must not: ",
                                      watched->describe(info->si_addr))
                     : std::string("overflows the stack of its fibre"));
  }
  if (ours) {
    const std::string text = detail::concat("host code ",
                                            access_text(context),
                                            " device memory (",
                                            watched->describe(info->si_addr),
                                            "): use to_device, to_host, copy or a kernel\n");
    [[maybe_unused]] const auto written = write(STDERR_FILENO, text.data(), text.size());
    std::_Exit(1);
  }
  ::signal(signal, SIG_DFL);  // not ours: fault again, in the usual way
}

}  // namespace

MemoryFaults::MemoryFaults(const DeviceMemory& memory) {
  SV_CHECK(!watched, "one MemoryFaults at a time");
  watched = &memory;
  struct sigaction action = {};
  action.sa_sigaction = handle;
  // NODEFER: a trap leaves the handler by a switch of stacks, so the signal must not stay blocked.
  action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  SV_CHECK(sigaction(SIGSEGV, &action, &before_) == 0, "sigaction");
}

MemoryFaults::~MemoryFaults() {
  sigaction(SIGSEGV, &before_, nullptr);
  watched = nullptr;
}

}  // namespace sv::simt
