#include "kernels/ops/all_cases.h"

#include "kernels/ops/activate/cases.h"
#include "kernels/ops/adam_atan2/cases.h"
#include "kernels/ops/adamw/cases.h"
#include "kernels/ops/attention/cases.h"
#include "kernels/ops/attention_fused/cases.h"
#include "kernels/ops/broadcast/cases.h"
#include "kernels/ops/columns/cases.h"
#include "kernels/ops/compact/cases.h"
#include "kernels/ops/concat/cases.h"
#include "kernels/ops/elementwise/cases.h"
#include "kernels/ops/embed/cases.h"
#include "kernels/ops/gather_positions/cases.h"
#include "kernels/ops/grouped_matmul/cases.h"
#include "kernels/ops/halt/cases.h"
#include "kernels/ops/layernorm/cases.h"
#include "kernels/ops/linear_xent/cases.h"
#include "kernels/ops/matmul/cases.h"
#include "kernels/ops/mlp/cases.h"
#include "kernels/ops/nll/cases.h"
#include "kernels/ops/positions/cases.h"
#include "kernels/ops/readout_stats/cases.h"
#include "kernels/ops/reduce/cases.h"
#include "kernels/ops/rmsnorm/cases.h"
#include "kernels/ops/rope/cases.h"
#include "kernels/ops/rows/cases.h"
#include "kernels/ops/sample/cases.h"
#include "kernels/ops/sgd/cases.h"
#include "kernels/ops/sigmoid_xent/cases.h"
#include "kernels/ops/silu_gate/cases.h"
#include "kernels/ops/softmax/cases.h"
#include "kernels/ops/softmax_xent/cases.h"
#include "kernels/ops/sum/cases.h"
#include "kernels/ops/transpose/cases.h"
#include "kernels/ops/unfold/cases.h"

namespace sv::cases {

std::vector<OpCases> all_cases() {
  return {
      {"activate", activate_cases},
      {"adam_atan2", adam_atan2_cases},
      {"adamw", adamw_cases},
      {"attention_fused", attention_fused_cases},
      {"attention_mix", attention_mix_cases},
      {"attention_pattern", attention_pattern_cases},
      {"broadcast", broadcast_cases},
      {"columns", columns_cases},
      {"compact", compact_cases},
      {"concat", concat_cases},
      {"elementwise", elementwise_cases},
      {"embed", embed_cases},
      {"gather_positions", gather_positions_cases},
      {"grouped_matmul", grouped_matmul_cases},
      {"halt", halt_cases},
      {"layernorm", layernorm_cases},
      {"linear_xent", linear_xent_cases},
      {"matmul", matmul_cases},
      {"mlp", mlp_cases},
      {"nll", nll_cases},
      {"positions", positions_cases},
      {"readout_stats", readout_stats_cases},
      {"reduce", reduce_cases},
      {"rmsnorm", rmsnorm_cases},
      {"rope", rope_cases},
      {"rows", rows_cases},
      {"sample", sample_cases},
      {"sgd", sgd_cases},
      {"sigmoid_xent", sigmoid_xent_cases},
      {"silu_gate", silu_gate_cases},
      {"softmax", softmax_cases},
      {"softmax_xent", softmax_xent_cases},
      {"sum", sum_cases},
      {"transpose", transpose_cases},
      {"unfold", unfold_cases},
  };
}

}  // namespace sv::cases
