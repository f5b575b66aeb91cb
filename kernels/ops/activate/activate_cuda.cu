// The kernels of activate for nvcc.
#include "kernels/cuda/kernel_table.cuh"
#include "kernels/ops/activate/activate_body.h"

namespace sv::cuda {

void add_activate_kernels(KernelTable& t) {
  ops::activate_kernels(t);
}

}  // namespace sv::cuda
