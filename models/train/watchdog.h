// Watchdog and scoring: finds the first tensor that is not finite, plants such tensors for tests,
// and counts right answers. Used by the trainer and by evaluation.
#pragma once
#include <string>

#include "data/batch.h"
#include "models/groups.h"
#include "models/unroll.h"

namespace sv {

/// The first non-finite parameter or site of a forward run of one model, plan.members or
/// ctx.models: "loop.2.block.0.mlp_out (iteration 2, block 0, tensor mlp_out)"; empty if all are
/// finite.
std::string first_non_finite(Reasoner& model,
                             const Inputs& inputs,
                             const Plan& plan,
                             const Context& ctx);
/// The first parameter whose gradient is not finite for model m; empty if none.
std::string first_non_finite_gradient(const Params& params, int m);

/// The taps of a fault: for runs of its model alone, on a device for those of the whole pack.
struct Planted {
  int model = -1;
  Taps taps;
};
/// Fault injection "seed:step:site", "seed:step:param.NAME" (changes the parameter) or
/// "seed:step:grad.NAME". plant_forward returns the tap that writes a NaN at the site, or changes
/// the parameter; plant_gradient the gradient. A seed, site or name that does not exist throws.
Planted plant_forward(const std::string& text, Reasoner& model, int64_t step);
void plant_gradient(const std::string& text, Reasoner& model, int64_t step);

/// Right answers of a set of rows.
struct Score {
  int64_t right = 0, answers = 0;    // tokens with a target
  int64_t right_rows = 0, rows = 0;  // examples with at least one target
  double accuracy() const {
    return answers > 0 ? static_cast<double>(right) / static_cast<double>(answers) : 0;
  }
  double exact() const {
    return rows > 0 ? static_cast<double>(right_rows) / static_cast<double>(rows) : 0;
  }
  void add(const Score& o) {
    right += o.right, answers += o.answers, right_rows += o.right_rows, rows += o.rows;
  }
};
/// answer i32 (rows, T) of rows of model m against the targets after update r of the batch.
Score score_answers(const int32_t* answer, const Batch& batch, int m, Rows rows, int r);

}  // namespace sv
