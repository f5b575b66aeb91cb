// The kernels of halt for nvcc.
#include "kernels/cuda/kernel_table.cuh"
#include "kernels/ops/halt/halt_body.h"

namespace sv::cuda {

void add_halt_kernels(KernelTable& t) {
  ops::halt_kernels(t);
}

}  // namespace sv::cuda
