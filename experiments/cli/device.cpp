// --device: which device a command computes on.
#include "experiments/cli/commands.h"
#include "kernels/memory/open_device.h"

namespace sv::cli {

std::string device_name(const Arguments& a) {
  // Models, the loop and the trainer still read and write tensors with host code, so that `auto` is
  // the CPU also where there is a GPU; what is asked for by name is never replaced by something
  // else.
  if (a.device == "auto" || device_index(a.device) < 0) {
    return "cpu";
  }
  const std::string name = open_device(a.device)->name();
  fail("--device ",
       a.device,
       ": ",
       a.command,
       " does not run on a GPU yet, only single kernels do (./run gpu-check runs them on ",
       name,
       "); use --device cpu");
}

}  // namespace sv::cli
