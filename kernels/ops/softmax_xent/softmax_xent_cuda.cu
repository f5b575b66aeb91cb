// The kernels of softmax_xent for nvcc.
#include "kernels/cuda/kernel_table.cuh"
#include "kernels/ops/softmax_xent/softmax_xent_body.h"

namespace sv::cuda {

void add_softmax_xent_kernels(KernelTable& t) {
  ops::softmax_xent_kernels(t);
}

}  // namespace sv::cuda
