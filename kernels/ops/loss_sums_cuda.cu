// The kernels of loss_sums for nvcc.
#include "kernels/cuda/kernel_table.cuh"
#include "kernels/ops/loss_sums_body.h"

namespace sv::cuda {

void add_loss_sums_kernels(KernelTable& t) {
  ops::loss_sums_kernels(t);
}

}  // namespace sv::cuda
