// The kernels of matmul for nvcc.
#include "kernels/cuda/kernel_table.cuh"
#include "kernels/ops/matmul/matmul_body.h"

namespace sv::cuda {

void add_matmul_kernels(KernelTable& t) {
  ops::matmul_kernels(t);
}

}  // namespace sv::cuda
