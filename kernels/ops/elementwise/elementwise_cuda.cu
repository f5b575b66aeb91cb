// The kernels of elementwise for nvcc.
#include "kernels/cuda/kernel_table.cuh"
#include "kernels/ops/elementwise/elementwise_body.h"

namespace sv::cuda {

void add_elementwise_kernels(KernelTable& t) {
  ops::elementwise_kernels(t);
}

}  // namespace sv::cuda
