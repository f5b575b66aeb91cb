// Every op's kernels for the executor, one include and one line each; kernels/ops/cuda_kernels.cu
// is the list of the same names for CUDA.
#include "kernels/ops/rmsnorm/rmsnorm_body.h"
#include "kernels/simt/simt_device.h"
#include "kernels/simt/thread_context.h"

namespace sv::simt {

void add_all_kernels(KernelTable& table) {
  ops::column_sums_kernels(table);
  ops::rmsnorm_kernels(table);
}

}  // namespace sv::simt
