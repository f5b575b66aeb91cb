#include "kernels/linalg/ridge.h"

#define EIGEN_DONT_PARALLELIZE
#include <Eigen/Dense>
#include <cmath>

#include "core/check.h"

namespace sv::linalg {

namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using View = Eigen::Map<const Matrix>;
using Vector = Eigen::Map<const Eigen::VectorXd>;

}  // namespace

void InputSums::add(const double* x, int64_t rows) {
  if (rows == 0) {
    return;
  }
  const View block(x, rows, inputs_);
  Eigen::Map<Matrix> gram(gram_.data(), inputs_, inputs_);
  gram.selfadjointView<Eigen::Lower>().rankUpdate(block.transpose());
  for (int64_t n = 0; n < rows; ++n) {
    for (int64_t d = 0; d < inputs_; ++d) {
      sum_[static_cast<size_t>(d)] += x[n * inputs_ + d];
    }
  }
  rows_ += rows;
}

void LinearMap::apply(const double* x, int64_t rows, double* y) const {
  Eigen::Map<Matrix> out(y, rows, outputs);
  out.noalias() = View(x, rows, inputs) * View(weight.data(), inputs, outputs);
  out.rowwise() += Vector(bias.data(), outputs).transpose();
}

Ridge::Ridge(const InputSums& sums, double strength)
    : inputs_(sums.inputs()), rows_(sums.rows()), mean_(sums.sum().begin(), sums.sum().end()) {
  SV_CHECK(rows_ > 0, "a ridge regression needs rows");
  SV_CHECK(strength > 0, "strength ", strength);
  for (double& v : mean_) {
    v /= static_cast<double>(rows_);
  }
  Matrix a = View(sums.gram().data(), inputs_, inputs_);
  const Vector mean(mean_.data(), inputs_);
  a.selfadjointView<Eigen::Lower>().rankUpdate(mean, -static_cast<double>(rows_));
  const double spread = a.trace() / static_cast<double>(inputs_);
  SV_CHECK(std::isfinite(spread), "inputs of a ridge regression that are not finite");
  // Inputs that never vary leave nothing to scale the penalty by; any positive value gives W = 0.
  a.diagonal().array() += spread > 0 ? strength * spread : 1.0;
  const Eigen::LLT<Matrix, Eigen::Lower> llt(a);
  SV_CHECK(llt.info() == Eigen::Success,
           "the Gram matrix of ",
           rows_,
           " rows is not positive definite; are all inputs finite?");
  const Matrix l = llt.matrixL();
  factor_.assign(l.data(), l.data() + l.size());
}

LinearMap Ridge::solve(std::span<const double> cross, std::span<const double> target_sum) const {
  const auto outputs = static_cast<int64_t>(target_sum.size());
  SV_CHECK_EQ(static_cast<int64_t>(cross.size()), inputs_ * outputs);
  const Vector mean(mean_.data(), inputs_);
  const Vector total(target_sum.data(), outputs);
  Matrix w = View(cross.data(), inputs_, outputs);
  w.noalias() -= mean * total.transpose();
  const View l(factor_.data(), inputs_, inputs_);
  l.triangularView<Eigen::Lower>().solveInPlace(w);
  l.transpose().triangularView<Eigen::Upper>().solveInPlace(w);
  LinearMap map;
  map.inputs = inputs_;
  map.outputs = outputs;
  map.weight.assign(w.data(), w.data() + w.size());
  const Eigen::VectorXd b = total / static_cast<double>(rows_) - w.transpose() * mean;
  map.bias.assign(b.data(), b.data() + b.size());
  return map;
}

}  // namespace sv::linalg
