// The kernels of limits_body.h for nvcc.
#include "gpu/limits_cuda.h"

#include "gpu/limits_body.h"
#include "kernels/cuda/kernel_table.cuh"

namespace sv::gpu {

cuda::KernelTable cuda_limit_kernels() {
  cuda::KernelTable t;
  limits_kernels(t);
  return t;
}

}  // namespace sv::gpu
