// The kernels of layernorm for nvcc.
#include "kernels/cuda/kernel_table.cuh"
#include "kernels/ops/layernorm/layernorm_body.h"

namespace sv::cuda {

void add_layernorm_kernels(KernelTable& t) {
  ops::layernorm_kernels(t);
}

}  // namespace sv::cuda
