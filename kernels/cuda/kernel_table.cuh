// KernelTable: the kernels of this build by name, each with the __global__ shell around its body.
#pragma once
#include <cuda_runtime.h>

#include <cstddef>
#include <map>
#include <string>
#include <type_traits>

#include "kernels/cuda/kernel_table.h"
#include "kernels/simt/context_cuda.cuh"

namespace sv::cuda {

template <class K>
__global__ void __launch_bounds__(simt::max_block<K>())
    run(const __grid_constant__ typename K::Args args) {
  simt::CudaContext ctx;
  K::body(ctx, args);
}

template <class K>
void KernelTable::add() {
  using Args = typename K::Args;
  static_assert(std::is_trivially_copyable_v<Args> && sizeof(Args) <= 4096,
                "a launch copies the arguments; 4 KiB is what every release of CUDA takes");
  put(K::kName, {reinterpret_cast<const void*>(&run<K>), sizeof(Args), simt::max_block<K>()});
}

}  // namespace sv::cuda
