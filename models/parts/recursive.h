// What HRM, TRM and their descendants share around their modules: the encoder with positions before
// the tokens', relaxed updates, the readout without a norm and the halting scores
// of position 0.
#pragma once
#include "models/parts/parts.h"

namespace sv::parts {

/// Refuses settings of ModelSettings that no recursive reasoner can have.
void check_recursive(const ModelSettings&, const TaskSpec&);
/// The blocks of one module, named name.0, name.1, ...; matrices start as `lecun`.
std::vector<Block> recursive_module(Params&,
                                    const std::string& name,
                                    const ModelSettings&,
                                    const TaskSpec&);
/// Sites of such a reasoner: encoder, parts, blocks, readout and halting score.
std::vector<Site> recursive_sites(const ModelSettings&, int parts);

/// Whether position 0 of the task's tokens names a puzzle that the model has a table for: it is
/// then no token but the first position of the prefix.
bool names_puzzles(const ModelSettings&, const TaskSpec&);

/// e = sqrt(D) (E x), with learned positions sqrt(D) (E x + P) / sqrt(2); (M,B,S,D) with S = prefix
/// + tokens. The prefix holds zeros, and at its first position the embedding of the puzzle if there
/// is a table of them: that of the row, or the only one where a task does not name puzzles.
class RecursiveEncoder {
 public:
  RecursiveEncoder(Params&, const TaskSpec&, const ModelSettings&);
  Var operator()(Pass&, const Inputs&) const;
  ParamId table() const { return tokens_; }

 private:
  Var with_prefix(Pass&, const Tensor& tokens, Var x) const;
  int64_t width_;
  int prefix_;
  int token_shift_;
  int first_puzzle_ = 0;  // the symbol of puzzle 0, where position 0 names puzzles
  ParamId tokens_;
  ParamId positions_ = -1;
  ParamId puzzles_ = -1;
  Buffer places_;  // i32 (1, 1, S), 0 .. S-1
};

/// h + damping (f - h) + noise * normal numbers of the row and update (EqR): f itself with damping
/// 1 and noise 0.
Var relax(Pass&, const Inputs&, const ModelSettings&, Var h, Var f);

/// Answers of the tokens' positions, by one matrix without norm or bias, which may be the
/// token embedding; and two scores of position 0, weight 0 and bias -5 at the start: the first says
/// halt, the second go on.
class RecursiveHead {
 public:
  RecursiveHead(Params&, const TaskSpec&, const ModelSettings&, const RecursiveEncoder&);
  Var logits(Pass&, Var z) const;
  /// Score 0 or 1 of the rows (M,B); absent without a halting head.
  Var score(Pass&, Var z, int which) const;

 private:
  int64_t begin_, positions_;  // of the tokens in the state
  int64_t answers_, symbols_;
  int answer_shift_;
  ParamId matrix_ = -1;
  ParamId q_weight_ = -1, q_bias_ = -1;
};

}  // namespace sv::parts
