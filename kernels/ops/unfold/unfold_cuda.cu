// The kernels of unfold for nvcc.
#include "kernels/cuda/kernel_table.cuh"
#include "kernels/ops/unfold/unfold_body.h"

namespace sv::cuda {

void add_unfold_kernels(KernelTable& t) {
  ops::unfold_kernels(t);
}

}  // namespace sv::cuda
