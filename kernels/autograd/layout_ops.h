// Differentiable ops that move values, with no arithmetic but sums of gradients: positions,
// columns, transpose, patches. Shapes are those of the op headers, which also say what is refused.
#pragma once
#include <span>

#include "kernels/autograd/tape.h"

namespace sv::ad {

/// Positions [begin, begin + count) of x (M,B,T,...); (M,B,count,...).
Var slice_positions(Tape&, Var x, int64_t begin, int64_t count);
/// [a | b] along T: a (M,B|1,A,...), b (M,B,C,...); (M,B,A+C,...). An a with one row (prefix
/// tokens) stands before every row of b.
Var concat_positions(Tape&, Var a, Var b);
/// x (M,B,T,...) with positions [begin, begin + count) replaced by rows (M,B,count,...).
Var put_positions(Tape&, Var x, Var rows, int64_t begin);
/// y_t = x_(t - by), zero where that is no position. x (M,B,T,...); `by` may be negative.
Var shift(Tape&, Var x, int by);
/// Positions by number: ids i32 (1|M,B,K), -1 = a zero row; x (M,B,T,...) to (M,B,K,...). `ids`
/// must outlive the tape's records.
Var gather_positions(Tape&, Var x, const Tensor& ids);
/// base (M,B,T,...) with the listed positions replaced by x (M,B,K,...); ids as above, none twice
/// in a row.
Var scatter_positions(Tape&, Var base, Var x, const Tensor& ids);
/// Columns [begin, begin + count) of the last axis.
Var slice_columns(Tape&, Var x, int64_t begin, int64_t count);
/// Columns of the last axis by number, in that order; they may repeat. `columns` must outlive the
/// tape's records.
Var select_columns(Tape&, Var x, std::span<const int> columns);
/// The last two axes swapped: (M,B,T,D) to (M,B,D,T).
Var transpose(Tape&, Var x);
/// Patches of kernel x kernel (height 1: 1 x kernel) around each position of a grid, zeros outside:
/// x (M,B,height*width,D) to (M,B,height*width,K*D), taps row by row, D fastest. With matmul by a
/// weight (M,O,K*D) it is a convolution.
Var unfold(Tape&, Var x, int height, int width, int kernel);

}  // namespace sv::ad
