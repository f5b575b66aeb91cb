// The kernels of concat for nvcc.
#include "kernels/cuda/kernel_table.cuh"
#include "kernels/ops/concat/concat_body.h"

namespace sv::cuda {

void add_concat_kernels(KernelTable& t) {
  ops::concat_kernels(t);
}

}  // namespace sv::cuda
