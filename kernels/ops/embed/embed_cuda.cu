// The kernels of embed for nvcc.
#include "kernels/cuda/kernel_table.cuh"
#include "kernels/ops/embed/embed_body.h"

namespace sv::cuda {

void add_embed_kernels(KernelTable& t) {
  ops::embed_kernels(t);
}

}  // namespace sv::cuda
