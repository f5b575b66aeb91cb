// The kernels of compact for nvcc.
#include "kernels/cuda/kernel_table.cuh"
#include "kernels/ops/compact/compact_body.h"

namespace sv::cuda {

void add_compact_kernels(KernelTable& t) {
  ops::compact_kernels(t);
}

}  // namespace sv::cuda
