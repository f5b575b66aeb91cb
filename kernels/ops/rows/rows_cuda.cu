// The kernels of rows for nvcc.
#include "kernels/cuda/kernel_table.cuh"
#include "kernels/ops/rows/rows_body.h"

namespace sv::cuda {

void add_rows_kernels(KernelTable& t) {
  ops::rows_kernels(t);
}

}  // namespace sv::cuda
