// Devices by name: what is a name, and what is said where the device is not there.
#include <gtest/gtest.h>

#include "core/check.h"
#include "kernels/memory/open_device.h"

namespace sv {
namespace {

/// The error of opening `name`; fails the test where there is none.
Error refusal_of(const std::string& name) {
  try {
    open_device(name);
  } catch (const Error& e) {
    return e;
  }
  ADD_FAILURE() << name << " was opened";
  return Error("");
}

TEST(OpenDevice, TheCpuIsNoDevice) {
  EXPECT_EQ(open_device("cpu"), nullptr);
  EXPECT_EQ(device_index("cpu"), -1);
}

TEST(OpenDevice, AutoIsTheFirstGpuOrTheCpu) {
  EXPECT_EQ(device_index("auto"), cuda_present() ? 0 : -1);
}

TEST(OpenDevice, CudaDevicesHaveNumbers) {
  EXPECT_EQ(device_index("cuda"), 0);
  EXPECT_EQ(device_index("cuda:0"), 0);
  EXPECT_EQ(device_index("cuda:12"), 12);
}

TEST(OpenDevice, OtherNamesAreBadInput) {
  for (const char* name :
       {"", "gpu", "CUDA", "cuda:", "cuda:x", "cuda:-1", "cuda:1x", "cuda:99999999999"}) {
    const Error e = refusal_of(name);
    EXPECT_EQ(e.exit, Exit::input) << name;
    EXPECT_NE(std::string(e.what()).find("auto, cpu, cuda"), std::string::npos) << e.what();
  }
}

TEST(OpenDevice, AMissingGpuIsTheEnvironmentsFaultAndSaysWhatToDo) {
  const Error e = refusal_of("cuda:1000");
  EXPECT_EQ(e.exit, Exit::environment);
  const std::string what = e.what();
  if (!cuda_built()) {
    EXPECT_NE(what.find("./run build cuda"), std::string::npos) << what;
  } else if (!cuda_present()) {
    EXPECT_NE(what.find("driver"), std::string::npos) << what;
    EXPECT_NE(what.find("error"), std::string::npos) << what;
  } else {
    EXPECT_NE(what.find("list devices"), std::string::npos) << what;
  }
}

TEST(OpenDevice, AbsenceHasAReasonExactlyWhereThereIsNoGpu) {
  EXPECT_EQ(cuda_absence().empty(), cuda_present());
  EXPECT_EQ(cuda_devices().empty(), !cuda_present());
}

}  // namespace
}  // namespace sv
