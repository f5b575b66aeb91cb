// The kernels of sample for nvcc.
#include "kernels/cuda/kernel_table.cuh"
#include "kernels/ops/sample/sample_body.h"

namespace sv::cuda {

void add_sample_kernels(KernelTable& t) {
  ops::sample_kernels(t);
}

}  // namespace sv::cuda
