// The kernels of attention for nvcc.
#include "kernels/cuda/kernel_table.cuh"
#include "kernels/ops/attention/attention_body.h"

namespace sv::cuda {

void add_attention_kernels(KernelTable& t) {
  ops::attention_kernels(t);
}

}  // namespace sv::cuda
