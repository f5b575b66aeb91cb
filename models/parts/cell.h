// Cell: what the families that learn when to halt iterate (universal, ponder). Either transformer
// blocks over the positions, or a GRU cell over one vector for the whole row, as in Graves,
// "Adaptive computation time for recurrent neural networks" (arXiv 1603.08983) and PonderNet (arXiv
// 2107.05407).
#pragma once
#include <memory>

#include "models/parts/parts.h"

namespace sv::parts {

class Cell {
 public:
  virtual ~Cell() = default;
  /// What every update reads of the input; taps `encoded`. (M,B,S,D), or of a GRU (M,B,1,3D).
  virtual Var encode(Pass&, const Inputs&) const = 0;
  /// h_0 (M,B,S,D).
  virtual Var start(Pass&, const Inputs&, Var e) const = 0;
  virtual Var update(Pass&, const Inputs&, Var h, Var e) const = 0;
  /// (M,B,T,V) of a state (M,B,S,D).
  virtual Var readout(Pass&, Var h) const = 0;
  /// Positions S of the state, and how many of them stand before those of the tokens.
  virtual int64_t positions() const = 0;
  virtual int prefix() const { return 0; }
  /// Sites between encode and readout, for Reasoner::sites.
  virtual void add_sites(std::vector<Site>&) const {}
};

/// model.cell: block or gru. `name` of its parameters.
///
/// block: h' = [N] blocks(inject(h, e)) over S = memory_tokens + T positions; the memory tokens are
/// learned vectors before the tokens, which the readout drops (Sapunov, arXiv 2604.21999).
/// gru: S = 1; x is the row as one vector of T V ones and zeros, h' = GRU(h, x), from h_0 = 0; the
/// readout is linear in the normed state, with an output for every position and answer.
std::unique_ptr<Cell> make_cell(Params&, const ModelSettings&, const TaskSpec&);

/// 1 at positions that hold a token or stand before the tokens, 0 at padding; (M,B,prefix+T).
/// Absent if no row is padded.
Var positions_in_use(Pass&, const Inputs&, int prefix, DType dtype);

}  // namespace sv::parts
