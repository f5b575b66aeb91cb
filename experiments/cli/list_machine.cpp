// list devices, list kernels: what this machine has, and what has been run on a GPU.
#include <fmt/format.h>

#include <omp.h>

#include "experiments/cli/commands.h"
#include "kernel_states_values.h"
#include "kernels/cpu/isa.h"
#include "kernels/memory/open_device.h"

namespace sv::cli {

void list_devices() {
  fmt::print("devices (--device NAME):\n");
  fmt::print("  {:<8} {} threads, matrix kernels for {}\n",
             "cpu",
             omp_get_num_procs(),
             cpu::isa_name(cpu::isa()));
  for (const cuda::DeviceInfo& d : cuda_devices()) {
    fmt::print("  {:<8} {}, {} processors, {:.1f} GiB, compute capability {}.{}\n",
               fmt::format("cuda:{}", d.index),
               d.name,
               d.processors,
               static_cast<double>(d.bytes) / (1 << 30),
               d.major,
               d.minor);
  }
  if (const std::string why = cuda_absence(); !why.empty()) {
    fmt::print("no CUDA device: {}\n", why);
  }
}

void list_kernels() {
  fmt::print("{:<36} {:<20} {:<13} {}\n", "kernel", "op", "source", "on a GPU");
  for (const kernel_states::Row& k : kernel_states::kRows) {
    fmt::print("{:<36} {:<20} {:<13} {}\n",
               k.kernel,
               k.op,
               std::string_view(k.source).substr(0, 12),
               k.state);
  }
}

}  // namespace sv::cli
