// The table of kernels by name.
#include "kernels/cuda/kernel_table.h"

#include "core/check.h"

namespace sv::cuda {

const Kernel& KernelTable::at(const std::string& name) const {
  const auto found = kernels_.find(name);
  SV_CHECK(found != kernels_.end(), "no CUDA kernel is called '", name, "'");
  return found->second;
}

void KernelTable::add_all(const KernelTable& more) {
  for (const auto& [name, kernel] : more.all()) {
    put(name, kernel);
  }
}

void KernelTable::put(const std::string& name, const Kernel& kernel) {
  SV_CHECK(kernels_.emplace(name, kernel).second, "two CUDA kernels are called '", name, "'");
}

}  // namespace sv::cuda
