// --device: which device a command computes on.
#include <algorithm>
#include <array>

#include "experiments/cli/commands.h"
#include "kernels/memory/open_device.h"

namespace sv::cli {

namespace {
/// The others read states with host code of their own.
constexpr std::array<std::string_view, 3> kOnDevices = {"train", "resume", "eval"};
}  // namespace

std::unique_ptr<Device> device_of(const Arguments& a) {
  // `auto` is the CPU also where there is a GPU, as no kernel has been validated on one; what is
  // asked for by name is never replaced by something else.
  if (a.device == "auto" || device_index(a.device) < 0) {
    return nullptr;
  }
  if (std::ranges::find(kOnDevices, a.command) == kOnDevices.end()) {
    fail("--device ",
         a.device,
         ": ",
         a.command,
         " runs on the CPU only; train, resume and eval run on devices");
  }
  return open_device(a.device);
}

}  // namespace sv::cli
