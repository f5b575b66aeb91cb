// --device: which device a command computes on.
#include <array>
#include <string_view>

#include "experiments/cli/commands.h"
#include "kernels/memory/open_device.h"

namespace sv::cli {

namespace {
struct CpuOnly {
  std::string_view command, why;
};
constexpr std::array<CpuOnly, 2> kCpuOnly = {
    {{"bench", "it times the CPU's kernels; ./run gpu-check times those of a GPU"},
     {"demo",
      "its figures and times are those of the CPU; train and measure step by step instead"}}};
}  // namespace

std::unique_ptr<Device> device_of(const Arguments& a) {
  // `auto` is the CPU also where there is a GPU, as no kernel has been validated on one; what is
  // asked for by name is never replaced by something else.
  if (a.device == "auto" || device_index(a.device) < 0) {
    return nullptr;
  }
  for (const auto& [command, why] : kCpuOnly) {
    if (a.command == command) {
      fail("--device ", a.device, ": ", command, " runs on the CPU only (", why, ")");
    }
  }
  return open_device(a.device, {.cublaslt = a.cublaslt == "auto"});
}

}  // namespace sv::cli
