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

bool is_write([[maybe_unused]] const void* context) {
#if defined(__x86_64__)
  return static_cast<const ucontext_t*>(context)->uc_mcontext.gregs[REG_ERR] & 2;
#else
  return false;
#endif
}

const char* verb(bool writes) {
#if defined(__x86_64__)
  return writes ? "writes" : "reads";
#else
  return "touches";
#endif
}

std::string tell_access(const void* address, bool writes) {
  return detail::concat(
      verb(writes), " global memory that it must not: ", watched->describe(address));
}
std::string tell_overflow(const void*, bool) {
  return "overflows the stack of its fibre";
}

void handle(int signal, siginfo_t* info, void* context) {
  BlockRunner* block = BlockRunner::current();
  const bool ours = watched && watched->is_inside(info->si_addr);
  if (block && (ours || block->owns_guard(info->si_addr))) {
    block->trap(ours ? tell_access : tell_overflow, info->si_addr, is_write(context));
  }
  if (ours) {
    // The process ends here, and the fault came from a plain load or store of a test: making a
    // message is safe enough.
    const std::string text = detail::concat("host code ",
                                            verb(is_write(context)),
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
