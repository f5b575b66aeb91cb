// The kernels of column_sums for nvcc.
#include "kernels/cuda/kernel_table.cuh"
#include "kernels/ops/column_sums_body.h"

namespace sv::cuda {

void add_column_sums_kernels(KernelTable& t) {
  ops::column_sums_kernels(t);
}

}  // namespace sv::cuda
