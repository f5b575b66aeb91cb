// The kernels of attention_fused for nvcc.
#include "kernels/cuda/kernel_table.cuh"
#include "kernels/ops/attention_fused/attention_fused_body.h"

namespace sv::cuda {

void add_attention_fused_kernels(KernelTable& t) {
  ops::attention_fused_kernels(t);
}

}  // namespace sv::cuda
