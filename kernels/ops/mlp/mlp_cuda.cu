// The kernels of mlp for nvcc.
#include "kernels/cuda/kernel_table.cuh"
#include "kernels/ops/mlp/mlp_body.h"

namespace sv::cuda {

void add_mlp_kernels(KernelTable& t) {
  ops::mlp_kernels(t);
}

}  // namespace sv::cuda
