// Ridge regression in closed form and in double: sums are streamed, one factorisation serves any
// number of outputs.
//
//   minimise  sum_n ||W^T x_n + b - y_n||^2 + lambda ||W||^2,   lambda = strength * mean variance *
//   rows, with a free intercept b: W = (X_c^T X_c + lambda I)^-1 X_c^T Y, b = mean(y) - W^T
//   mean(x).
//
// Deterministic: Eigen without threads; sums depend on the order and size of the blocks added.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace sv::linalg {

/// Sums over rows of the inputs: everything about X that a ridge regression needs.
class InputSums {
 public:
  explicit InputSums(int64_t inputs)
      : inputs_(inputs), sum_(size(inputs)), gram_(size(inputs * inputs)) {}
  /// x (rows, inputs), row-major.
  void add(const double* x, int64_t rows);
  int64_t inputs() const { return inputs_; }
  int64_t rows() const { return rows_; }
  std::span<const double> sum() const { return sum_; }    // (inputs)
  std::span<const double> gram() const { return gram_; }  // (inputs, inputs), lower half valid

 private:
  static size_t size(int64_t n) { return static_cast<size_t>(n); }
  int64_t inputs_;
  int64_t rows_ = 0;
  std::vector<double> sum_, gram_;
};

/// y = W^T x + b.
struct LinearMap {
  int64_t inputs = 0;
  int64_t outputs = 0;
  std::vector<double> weight;  // (inputs, outputs)
  std::vector<double> bias;    // (outputs)
  /// x (rows, inputs) to y (rows, outputs).
  void apply(const double* x, int64_t rows, double* y) const;
};

/// The factorised normal equations of one set of inputs.
class Ridge {
 public:
  Ridge(const InputSums& sums, double strength);
  /// cross (inputs, outputs) = sum x y^T and target_sum (outputs) = sum y over the same rows.
  LinearMap solve(std::span<const double> cross, std::span<const double> target_sum) const;

 private:
  int64_t inputs_;
  int64_t rows_;
  std::vector<double> mean_;    // (inputs)
  std::vector<double> factor_;  // (inputs, inputs), Cholesky factor, lower
};

}  // namespace sv::linalg
