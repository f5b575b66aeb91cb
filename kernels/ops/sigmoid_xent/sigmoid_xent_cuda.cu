// The kernels of sigmoid_xent for nvcc.
#include "kernels/cuda/kernel_table.cuh"
#include "kernels/ops/sigmoid_xent/sigmoid_xent_body.h"

namespace sv::cuda {

void add_sigmoid_xent_kernels(KernelTable& t) {
  ops::sigmoid_xent_kernels(t);
}

}  // namespace sv::cuda
