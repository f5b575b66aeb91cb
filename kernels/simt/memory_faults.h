// MemoryFaults: turns an access to device memory that the page tables refuse into a clear message,
// while one lives. In a kernel it becomes a Fault that the launch throws; in host code, which can
// only be wrong, the message is printed and the process ends.
#pragma once
#include <signal.h>

#include "kernels/simt/device_memory.h"
#include "kernels/simt/fibre.h"

namespace sv::simt {

class MemoryFaults {
 public:
  explicit MemoryFaults(const DeviceMemory& memory);
  ~MemoryFaults();
  MemoryFaults(const MemoryFaults&) = delete;
  MemoryFaults& operator=(const MemoryFaults&) = delete;

 private:
  SignalStack signals_;
  struct sigaction before_;
};

}  // namespace sv::simt
