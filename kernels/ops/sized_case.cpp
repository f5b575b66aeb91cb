#include "kernels/ops/sized_case.h"

#include <algorithm>
#include <sstream>

#include "core/nearest.h"
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

namespace {

using Name = const std::string&;
using Dims = const SizedDims&;

constexpr int64_t kMaxElements = int64_t{1} << 27;
constexpr double kRopeBase = 10000;

AttentionDims attention_dims(Dims d) {
  return {d.M, d.B, d.T, d.T, d.heads, d.heads, d.d / d.heads};
}

bool reads(const SizedOp& op, const std::string& name) {
  return std::ranges::find(op.reads, name) != op.reads.end();
}

/// Elements of the largest tensor of the case, in double: eight large numbers do not overflow it.
double largest_tensor(const SizedOp& op, Dims d) {
  const auto size = [&](const char* name, int64_t value) {
    return reads(op, name) ? static_cast<double>(value) : 1.0;
  };
  const double width = size("d", d.d), out = size("out", d.out), vocab = size("vocab", d.vocab);
  const double positions = size("T", d.T);
  const double rows = static_cast<double>(d.M) * size("B", d.B) * positions;
  const double most = op.op == "unfold" ? 3 : 2;  // columns of a result for one of d
  const double weights = op.op == "grouped_matmul" ? positions : 1.0;
  const double row = std::max({most * width, out, 2 * size("hidden", d.hidden), vocab});
  const double scores = rows * size("heads", d.heads) * positions;
  return std::max(
      {rows * row, scores, static_cast<double>(d.M) * weights * width * std::max(out, vocab)});
}

void check_dims(const SizedOp& op, Dims d) {
  for (const int64_t size : {d.M, d.B, d.T, d.d, d.out, d.heads, d.hidden, d.vocab}) {
    SV_CHECK(size > 0, op.op, ": every dimension is at least 1");
  }
  if (reads(op, "heads")) {
    SV_CHECK(d.d % d.heads == 0, op.op, ": heads=", d.heads, " must divide d=", d.d);
    SV_CHECK(op.op != "rope" || d.d / d.heads % 2 == 0,
             "rope turns pairs: d / heads = ",
             d.d / d.heads,
             " must be even");
  }
  SV_CHECK(largest_tensor(op, d) <= static_cast<double>(kMaxElements),
           op.op,
           ": a tensor of this shape would have more than ",
           kMaxElements,
           " elements");
}

struct Entry {
  const char* op;
  const char* what;
  const char* reads;  // separated by blanks
  Case (*make)(Name, Dims);
};

constexpr Entry kOps[] = {
    {"activate",
     "gelu of (M, B*T, hidden)",
     "M B T hidden",
     [](Name n, Dims d) {
       return activate_case(n, ops::Activation::gelu, {d.M, d.B * d.T, d.hidden});
     }},
    {"adam_atan2",
     "one update of (M, out, d), with the average",
     "M out d",
     [](Name n, Dims d) {
       return adam_atan2_case(n, {d.M, d.out, d.d}, 10, true);
     }},
    {"adamw",
     "one update of (M, out, d), with the average",
     "M out d",
     [](Name n, Dims d) {
       return adamw_case(n, {d.M, d.out, d.d}, 10, true);
     }},
    {"attention_fused",
     "values (M, B, T, d) mixed by the softmax of scores, without a pattern, bidirectional",
     "M B T d heads",
     [](Name n, Dims d) { return fused_case(n, attention_dims(d)); }},
    {"attention_mix",
     "pattern (M, B, heads, T, T) times values (M, B, T, d)",
     "M B T d heads",
     [](Name n, Dims d) { return mix_case(n, attention_dims(d)); }},
    {"attention_pattern",
     "softmax of scores of queries and keys (M, B, T, d), bidirectional",
     "M B T d heads",
     [](Name n, Dims d) { return pattern_case(n, attention_dims(d)); }},
    {"broadcast",
     "(M, B*T, d) times one number per row",
     "M B T d",
     [](Name n, Dims d) { return mul_rows_case(n, d.M, d.B * d.T, d.d); }},
    {"columns",
     "the first half of the columns of (M, B*T, d)",
     "M B T d",
     [](Name n, Dims d) { return slice_columns_case(n, d.M, d.B * d.T, d.d, 0, (d.d + 1) / 2); }},
    {"compact",
     "list of live rows, half of the rows of (M, B, T, d) out and back",
     "M B T d",
     [](Name n, Dims d) {
       return compact_case(n, {d.M, d.B, d.T, d.d}, (d.B + 1) / 2);
     }},
    {"concat",
     "two of (M, B*T, d) side by side",
     "M B T d",
     [](Name n, Dims d) { return concat_case(n, d.M, d.B * d.T, d.d, d.d); }},
    {"elementwise",
     "sum of two of (M, B*T, d)",
     "M B T d",
     [](Name n, Dims d) { return add_case(n, d.M, d.B * d.T, d.d); }},
    {"embed",
     "shared ids (1, B, T) from a table (M, vocab, d)",
     "M B T d vocab",
     [](Name n, Dims d) {
       return embed_case(n, {1, d.B, d.T}, d.M, d.B, d.T, d.vocab, d.d);
     }},
    {"gather_positions",
     "half of the positions of each row of (M, B, T, d)",
     "M B T d",
     [](Name n, Dims d) {
       return gather_positions_case(n, {d.M, d.B, d.T, (d.T + 1) / 2, d.d, d.M});
     }},
    {"grouped_matmul",
     "(M, B, T, d) times weights (M, T, out, d), one for each position",
     "M B T d out",
     [](Name n, Dims d) {
       return grouped_matmul_case(n, {d.M, d.B, d.T, d.d, d.out, false});
     }},
    {"halt",
     "score of the mean over positions of (M, B, T, d) against a threshold",
     "M B T d",
     [](Name n, Dims d) {
       return halt_case(n, {d.M, d.B, d.T, d.d}, 0, true);
     }},
    {"layernorm",
     "of (M, B*T, d), with gain and bias",
     "M B T d",
     [](Name n, Dims d) { return layernorm_case(n, d.M, d.B * d.T, d.d, false); }},
    {"linear_xent",
     "loss of (M, B, T, d) times weights (M, vocab, d)",
     "M B T d vocab",
     [](Name n, Dims d) {
       return linear_xent_case(n, {{d.M, d.B, d.T, d.vocab, 1, 1, 0.2}, d.d, true});
     }},
    {"matmul",
     "(M, B*T, d) times weights (M, out, d)",
     "M B T d out",
     [](Name n, Dims d) {
       return matmul_case(n, {d.M, d.B * d.T, d.d, d.out, false});
     }},
    {"mlp",
     "gated MLP of (M, B*T, d) over hidden units, without gradient",
     "M B T d hidden",
     [](Name n, Dims d) {
       return mlp_case(n, {d.M, d.B * d.T, d.d, d.hidden, true, false});
     }},
    {"nll",
     "stablemax loss of each token of logits (M, B, T, vocab)",
     "M B T vocab",
     [](Name n, Dims d) {
       return nll_case(n, ops::LossKind::stablemax, {d.M, d.B, d.T, d.vocab, 1, 2});
     }},
    {"positions",
     "(M, B, T, d) moved by one position",
     "M B T d",
     [](Name n, Dims d) {
       return shift_case(n, {d.M, d.B, d.T, d.d}, 1);
     }},
    {"readout_stats",
     "argmax, confidence, entropy and kl of logits (M, B, T, vocab)",
     "M B T vocab",
     [](Name n, Dims d) {
       return readout_case(n, {d.M, d.B, d.T, d.vocab}, 2);
     }},
    {"reduce",
     "mean over positions of (M, B, T, d)",
     "M B T d",
     [](Name n, Dims d) {
       return mean_positions_case(n, {d.M, d.B, d.T, d.d});
     }},
    {"rmsnorm",
     "of (M, B*T, d), with gain",
     "M B T d",
     [](Name n, Dims d) { return rmsnorm_case(n, d.M, d.B * d.T, d.d, true); }},
    {"rope",
     "rotates (M, B, T, d) by position",
     "M B T d heads",
     [](Name n, Dims d) {
       return rope_case(n, {d.M, d.B, d.T, d.d}, {static_cast<int>(d.heads), kRopeBase});
     }},
    {"rows",
     "gathers half of the rows of (M, B, T, d)",
     "M B T d",
     [](Name n, Dims d) {
       return rows_case(n, {d.M, d.B, d.T, d.d}, (d.B + 1) / 2, d.M, true, Kind::real);
     }},
    {"sample",
     "one draw per row of logits (M, B, T, vocab)",
     "M B T vocab",
     [](Name n, Dims d) {
       return sample_case(n, {d.M, d.B, d.T, d.vocab}, 1, 0);
     }},
    {"sgd",
     "one update of (M, out, d), with the average",
     "M out d",
     [](Name n, Dims d) {
       return sgd_case(n, {d.M, d.out, d.d});
     }},
    {"sigmoid_xent",
     "loss of logits (M, B)",
     "M B",
     [](Name n, Dims d) { return sigmoid_xent_case(n, d.M, d.B, d.M, 1); }},
    {"silu_gate",
     "(M, B*T, 2 hidden) to (M, B*T, hidden)",
     "M B T hidden",
     [](Name n, Dims d) { return silu_gate_case(n, d.M, d.B * d.T, d.hidden); }},
    {"softmax",
     "over the last axis of (M, B*T, vocab)",
     "M B T vocab",
     [](Name n, Dims d) { return softmax_case(n, d.M, d.B * d.T, d.vocab, 2); }},
    {"softmax_xent",
     "loss of logits (M, B, T, vocab)",
     "M B T vocab",
     [](Name n, Dims d) {
       return softmax_xent_case(n, {d.M, d.B, d.T, d.vocab, 1, 1, 2});
     }},
    {"sum",
     "of (M, B, T, d) over each model",
     "M B T d",
     [](Name n, Dims d) {
       return sum_case(n, {d.M, d.B, d.T, d.d});
     }},
    {"transpose",
     "(M, B, T, d) to (M, B, d, T)",
     "M B T d",
     [](Name n, Dims d) {
       return transpose_case(n, {d.M, d.B, d.T, d.d});
     }},
    {"unfold",
     "(M, B, T, d) to patches of three positions (M, B, T, 3 d)",
     "M B T d",
     [](Name n, Dims d) {
       return unfold_case(n, d.M, d.B, {1, static_cast<int>(d.T), 3}, d.d);
     }},
};

SizedOp unpacked(const Entry& entry) {
  std::istringstream words(entry.reads);
  SizedOp op{entry.op, entry.what, {}, entry.make};
  for (std::string word; words >> word;) {
    op.reads.push_back(word);
  }
  return op;
}

}  // namespace

const std::vector<SizedOp>& sized_ops() {
  static const std::vector<SizedOp> table = [] {
    std::vector<SizedOp> all;
    for (const Entry& entry : kOps) {
      all.push_back(unpacked(entry));
    }
    return all;
  }();
  return table;
}

Case sized_case(const std::string& op, const SizedDims& dims) {
  std::vector<std::string> known;
  for (const SizedOp& entry : sized_ops()) {
    if (entry.op == op) {
      check_dims(entry, dims);
      return entry.make(op, dims);
    }
    known.push_back(entry.op);
  }
  fail("no op is called '", op, "'", did_you_mean(op, known));
}

}  // namespace sv::cases
