// The kernels of readout_stats for nvcc.
#include "kernels/cuda/kernel_table.cuh"
#include "kernels/ops/readout_stats/readout_stats_body.h"

namespace sv::cuda {

void add_readout_stats_kernels(KernelTable& t) {
  ops::readout_stats_kernels(t);
}

}  // namespace sv::cuda
