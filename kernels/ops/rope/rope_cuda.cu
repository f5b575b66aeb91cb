// The kernels of rope for nvcc.
#include "kernels/cuda/kernel_table.cuh"
#include "kernels/ops/rope/rope_body.h"

namespace sv::cuda {

void add_rope_kernels(KernelTable& t) {
  ops::rope_kernels(t);
}

}  // namespace sv::cuda
