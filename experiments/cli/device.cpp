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
  // `auto` is the CPU also where there is a GPU, until runs on one have been checked; what is asked
  // for by name is never replaced by something else.
  if (a.device == "auto" || device_index(a.device) < 0) {
    return nullptr;
  }
  std::unique_ptr<Device> device = open_device(a.device);
  if (std::ranges::find(kOnDevices, a.command) == kOnDevices.end()) {
    fail("--device ",
         a.device,
         ": ",
         a.command,
         " does not run on ",
         device->name(),
         ", only train, resume and eval do; use --device cpu");
  }
  return device;
}

}  // namespace sv::cli
