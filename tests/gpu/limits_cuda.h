// The kernels of limits_body.h in the form in which a CudaDevice takes them.
#pragma once
#include "kernels/cuda/kernel_table.h"

namespace sv::gpu {

cuda::KernelTable cuda_limit_kernels();

}  // namespace sv::gpu
