// The kernels of adamw for nvcc.
#include "kernels/cuda/kernel_table.cuh"
#include "kernels/ops/adamw/adamw_body.h"

namespace sv::cuda {

void add_adamw_kernels(KernelTable& t) {
  ops::adamw_kernels(t);
}

}  // namespace sv::cuda
