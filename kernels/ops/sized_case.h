// A case of any op at an asked shape, from the same factories as the tests' cases: what
// `subvocal bench` times.
#pragma once
#include <string>
#include <vector>

#include "kernels/ops/case.h"

namespace sv::cases {

/// The dimension key of kernels/README.md; an op reads those it has.
struct SizedDims {
  int64_t M = 5, B = 64, T = 36;  // the demo trains 5 models on batches of 64 puzzles of 36 cells
  int64_t d = 48;                 // D; H heads of width d / H
  int64_t out = 48;               // O of matmul, columns of adamw's matrix (M, out, d)
  int64_t heads = 4, hidden = 128, vocab = 10;  // H, F, V
};

struct SizedOp {
  std::string op;
  std::string what;                // the call that is timed, with its shapes
  std::vector<std::string> reads;  // the dimensions its shapes depend on
  Case (*make)(const std::string& name, const SizedDims&);
};

/// One line per op of all_cases(), in the same order.
const std::vector<SizedOp>& sized_ops();
/// Throws on an unknown op (naming the nearest), on dimensions that do not go together, and on more
/// than 2^27 elements in one tensor: a case holds them in double as well.
Case sized_case(const std::string& op, const SizedDims& dims);

}  // namespace sv::cases
