// The kernels of silu_gate for nvcc.
#include "kernels/cuda/kernel_table.cuh"
#include "kernels/ops/silu_gate/silu_gate_body.h"

namespace sv::cuda {

void add_silu_gate_kernels(KernelTable& t) {
  ops::silu_gate_kernels(t);
}

}  // namespace sv::cuda
