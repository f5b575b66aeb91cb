// The kernels of linear_xent for nvcc.
#include "kernels/cuda/kernel_table.cuh"
#include "kernels/ops/linear_xent/linear_xent_body.h"

namespace sv::cuda {

void add_linear_xent_kernels(KernelTable& t) {
  ops::linear_xent_kernels(t);
}

}  // namespace sv::cuda
