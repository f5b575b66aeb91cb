// Every op's kernels for the executor, one include and one line each; kernels/ops/cuda_kernels.cu
// is the list of the same names for CUDA.
#include "kernels/ops/activate/activate_body.h"
#include "kernels/ops/adamw/adamw_body.h"
#include "kernels/ops/attention/attention_body.h"
#include "kernels/ops/attention_fused/attention_fused_body.h"
#include "kernels/ops/compact/compact_body.h"
#include "kernels/ops/concat/concat_body.h"
#include "kernels/ops/elementwise/elementwise_body.h"
#include "kernels/ops/embed/embed_body.h"
#include "kernels/ops/halt/halt_body.h"
#include "kernels/ops/layernorm/layernorm_body.h"
#include "kernels/ops/linear_xent/linear_xent_body.h"
#include "kernels/ops/loss_sums_body.h"
#include "kernels/ops/matmul/matmul_body.h"
#include "kernels/ops/mlp/mlp_body.h"
#include "kernels/ops/readout_stats/readout_stats_body.h"
#include "kernels/ops/reduce/reduce_body.h"
#include "kernels/ops/rmsnorm/rmsnorm_body.h"
#include "kernels/ops/rope/rope_body.h"
#include "kernels/ops/rows/rows_body.h"
#include "kernels/ops/sample/sample_body.h"
#include "kernels/ops/sigmoid_xent/sigmoid_xent_body.h"
#include "kernels/ops/silu_gate/silu_gate_body.h"
#include "kernels/ops/softmax_xent/softmax_xent_body.h"
#include "kernels/ops/unfold/unfold_body.h"
#include "kernels/simt/simt_device.h"
#include "kernels/simt/thread_context.h"

namespace sv::simt {

void add_all_kernels(KernelTable& table) {
  ops::column_sums_kernels(table);
  ops::loss_sums_kernels(table);
  ops::activate_kernels(table);
  ops::adamw_kernels(table);
  ops::attention_fused_kernels(table);
  ops::attention_kernels(table);
  ops::compact_kernels(table);
  ops::concat_kernels(table);
  ops::elementwise_kernels(table);
  ops::embed_kernels(table);
  ops::halt_kernels(table);
  ops::layernorm_kernels(table);
  ops::linear_xent_kernels(table);
  ops::matmul_kernels(table);
  ops::mlp_kernels(table);
  ops::readout_stats_kernels(table);
  ops::reduce_kernels(table);
  ops::rmsnorm_kernels(table);
  ops::rope_kernels(table);
  ops::rows_kernels(table);
  ops::sample_kernels(table);
  ops::sigmoid_xent_kernels(table);
  ops::silu_gate_kernels(table);
  ops::softmax_xent_kernels(table);
  ops::unfold_kernels(table);
}

}  // namespace sv::simt
