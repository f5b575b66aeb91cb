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

/// Threads a block of K has at most: K::kMaxBlock, or 512, which leaves each thread 128 registers.
template <class K>
constexpr int max_block() {
  if constexpr (requires { K::kMaxBlock; }) {
    return K::kMaxBlock;
  } else {
    return 512;
  }
}

template <class K>
__global__ void __launch_bounds__(max_block<K>())
    run(const __grid_constant__ typename K::Args args) {
  simt::CudaContext ctx;
  K::body(ctx, args);
}

template <class K>
void KernelTable::add() {
  using Args = typename K::Args;
  static_assert(std::is_trivially_copyable_v<Args> && sizeof(Args) <= 4096,
                "a launch copies the arguments; 4 KiB is what every release of CUDA takes");
  put(K::kName, {reinterpret_cast<const void*>(&run<K>), sizeof(Args), max_block<K>()});
}

}  // namespace sv::cuda
