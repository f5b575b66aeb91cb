// The kernels of every op, two lines each; the shells are ops/<op>/<op>_cuda.cu.
#include "kernels/cuda/kernel_table.h"

namespace sv::cuda {

void add_column_sums_kernels(KernelTable& t);
void add_rmsnorm_kernels(KernelTable& t);

KernelTable all_kernels() {
  KernelTable t;
  add_column_sums_kernels(t);
  add_rmsnorm_kernels(t);
  return t;
}

}  // namespace sv::cuda
