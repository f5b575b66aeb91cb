#include "kernels/memory/open_device.h"

#include <charconv>
#include <string_view>

#include "core/check.h"

namespace sv {

namespace {

constexpr std::string_view kCuda = "cuda";

#ifdef SV_CUDA_BUILT
constexpr bool kBuilt = true;
#else
constexpr bool kBuilt = false;
constexpr const char* kNotBuilt =
    "this program was built without CUDA (./run build cuda makes build-cuda/subvocal)";
#endif

}  // namespace

bool cuda_built() {
  return kBuilt;
}

#ifdef SV_CUDA_BUILT
std::vector<cuda::DeviceInfo> cuda_devices() {
  return cuda::devices();
}
std::string cuda_absence() {
  return cuda::why_none();
}
#else
std::vector<cuda::DeviceInfo> cuda_devices() {
  return {};
}
std::string cuda_absence() {
  return kNotBuilt;
}
#endif

bool cuda_present() {
  return !cuda_devices().empty();
}

int device_index(const std::string& name) {
  if (name == "cpu") {
    return -1;
  }
  if (name == "auto") {
    return cuda_present() ? 0 : -1;
  }
  if (name == kCuda) {
    return 0;
  }
  int index = -1;
  if (name.starts_with("cuda:")) {
    const char* const end = name.data() + name.size();
    const auto [stop, error] = std::from_chars(name.data() + kCuda.size() + 1, end, index);
    if (error == std::errc() && stop == end && index >= 0) {
      return index;
    }
  }
  fail("the device '", name, "' is none of auto, cpu, cuda, cuda:0, cuda:1, ...");
}

std::unique_ptr<Device> open_device(const std::string& name,
                                    [[maybe_unused]] const cuda::Options& options) {
  const int index = device_index(name);
  if (index < 0) {
    return nullptr;
  }
#ifdef SV_CUDA_BUILT
  return cuda::open(index, options);
#else
  throw Error("no device " + name + ": " + kNotBuilt, Exit::environment);
#endif
}

}  // namespace sv
