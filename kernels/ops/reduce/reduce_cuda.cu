// The kernels of reduce for nvcc.
#include "kernels/cuda/kernel_table.cuh"
#include "kernels/ops/reduce/reduce_body.h"

namespace sv::cuda {

void add_reduce_kernels(KernelTable& t) {
  ops::reduce_kernels(t);
}

}  // namespace sv::cuda
