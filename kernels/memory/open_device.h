// open_device: a device by the name a user gives it, with errors that say what to do.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "kernels/memory/cuda_device.h"
#include "kernels/memory/device.h"

namespace sv {

/// True where this program was built with the CUDA kernels.
bool cuda_built();
/// True where a GPU can be opened.
bool cuda_present();
/// The GPUs of this machine; empty also in a program without CUDA.
std::vector<cuda::DeviceInfo> cuda_devices();
/// Why there is no GPU to open, and what to do, in one sentence; empty where there is one.
std::string cuda_absence();

/// "cpu" -1, "cuda" 0, "cuda:2" 2, "auto" the first GPU or -1. Refuses other names (Exit::input).
int device_index(const std::string& name);
/// The device of that name; null is the CPU. Throws (Exit::environment) where it is not there.
std::unique_ptr<Device> open_device(const std::string& name, const cuda::Options& options = {});

}  // namespace sv
