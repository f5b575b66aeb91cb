// The kernels of every op, two lines each; the shells are ops/<op>/<op>_cuda.cu.
#include "kernels/cuda/kernel_table.h"

namespace sv::cuda {

void add_column_sums_kernels(KernelTable& t);
void add_loss_sums_kernels(KernelTable& t);
void add_activate_kernels(KernelTable& t);
void add_adamw_kernels(KernelTable& t);
void add_attention_fused_kernels(KernelTable& t);
void add_attention_kernels(KernelTable& t);
void add_compact_kernels(KernelTable& t);
void add_concat_kernels(KernelTable& t);
void add_elementwise_kernels(KernelTable& t);
void add_embed_kernels(KernelTable& t);
void add_halt_kernels(KernelTable& t);
void add_layernorm_kernels(KernelTable& t);
void add_linear_xent_kernels(KernelTable& t);
void add_matmul_kernels(KernelTable& t);
void add_mlp_kernels(KernelTable& t);
void add_readout_stats_kernels(KernelTable& t);
void add_reduce_kernels(KernelTable& t);
void add_rmsnorm_kernels(KernelTable& t);
void add_rope_kernels(KernelTable& t);
void add_rows_kernels(KernelTable& t);
void add_sample_kernels(KernelTable& t);
void add_sigmoid_xent_kernels(KernelTable& t);
void add_silu_gate_kernels(KernelTable& t);
void add_softmax_xent_kernels(KernelTable& t);
void add_unfold_kernels(KernelTable& t);

KernelTable all_kernels() {
  KernelTable t;
  add_column_sums_kernels(t);
  add_loss_sums_kernels(t);
  add_activate_kernels(t);
  add_adamw_kernels(t);
  add_attention_fused_kernels(t);
  add_attention_kernels(t);
  add_compact_kernels(t);
  add_concat_kernels(t);
  add_elementwise_kernels(t);
  add_embed_kernels(t);
  add_halt_kernels(t);
  add_layernorm_kernels(t);
  add_linear_xent_kernels(t);
  add_matmul_kernels(t);
  add_mlp_kernels(t);
  add_readout_stats_kernels(t);
  add_reduce_kernels(t);
  add_rmsnorm_kernels(t);
  add_rope_kernels(t);
  add_rows_kernels(t);
  add_sample_kernels(t);
  add_sigmoid_xent_kernels(t);
  add_silu_gate_kernels(t);
  add_softmax_xent_kernels(t);
  add_unfold_kernels(t);
  return t;
}

}  // namespace sv::cuda
