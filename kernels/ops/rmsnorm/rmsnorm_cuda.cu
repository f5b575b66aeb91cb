// The kernels of rmsnorm for nvcc.
#include "kernels/cuda/kernel_table.cuh"
#include "kernels/ops/rmsnorm/rmsnorm_body.h"

namespace sv::cuda {

void add_rmsnorm_kernels(KernelTable& t) {
  ops::rmsnorm_kernels(t);
}

}  // namespace sv::cuda
