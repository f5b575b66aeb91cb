// KernelTable: name of a kernel -> its entry, for launches by name.
#pragma once
#include <cstddef>
#include <map>
#include <string>

namespace sv::cuda {

struct Kernel {
  const void* entry = nullptr;  // the __global__ function
  size_t args_bytes = 0;
  int max_block = 0;
};

class KernelTable {
 public:
  /// Adds the kernel K (kernel_table.cuh, for nvcc only); a name twice is refused.
  template <class K>
  void add();
  /// Adds all of another table; a name twice is refused.
  void add_all(const KernelTable& more);
  const Kernel& at(const std::string& name) const;
  const std::map<std::string, Kernel>& all() const { return kernels_; }

 private:
  void put(const std::string& name, const Kernel& kernel);
  std::map<std::string, Kernel> kernels_;
};

/// The kernels of every op (ops/cuda_kernels.cu).
KernelTable all_kernels();

}  // namespace sv::cuda
