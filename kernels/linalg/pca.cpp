#include "kernels/linalg/pca.h"

#define EIGEN_DONT_PARALLELIZE
#include <Eigen/Dense>

#include "core/check.h"

namespace sv::linalg {

namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// Unit axis k of the centred rows, from the eigenvectors of X X^T or of X^T X.
Eigen::VectorXd axis_of(const Matrix& x, const Eigen::VectorXd& eigenvector, bool dual) {
  Eigen::VectorXd axis = dual ? Eigen::VectorXd(x.transpose() * eigenvector) : eigenvector;
  const double norm = axis.norm();
  if (norm == 0) {
    return axis;
  }
  axis /= norm;
  Eigen::Index at = 0;
  axis.cwiseAbs().maxCoeff(&at);
  return axis[at] < 0 ? Eigen::VectorXd(-axis) : axis;
}

}  // namespace

Pca pca(std::span<const double> values, int64_t width, int components) {
  SV_CHECK(width > 0 && values.size() % static_cast<size_t>(width) == 0 && !values.empty(),
           values.size(),
           " values are not rows of ",
           width);
  const auto rows = static_cast<int64_t>(values.size()) / width;
  Matrix x = Eigen::Map<const Matrix>(values.data(), rows, width);
  const Eigen::RowVectorXd mean = x.colwise().mean();
  x.rowwise() -= mean;
  const bool dual = rows < width;
  const Eigen::MatrixXd gram =
      dual ? Eigen::MatrixXd(x * x.transpose()) : Eigen::MatrixXd(x.transpose() * x);
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(gram);
  const double total = gram.trace();
  Pca out;
  out.width = width;
  out.components = components;
  out.mean.assign(mean.data(), mean.data() + width);
  out.axes.assign(static_cast<size_t>(components) * static_cast<size_t>(width), 0);
  out.explained.assign(static_cast<size_t>(components), 0);
  for (int k = 0; k < components && k < gram.rows(); ++k) {
    const Eigen::Index column = gram.rows() - 1 - k;  // eigenvalues ascend
    const double variance = solver.eigenvalues()[column];
    if (total <= 0 || variance <= 1e-12 * total) {
      break;
    }
    const Eigen::VectorXd axis = axis_of(x, solver.eigenvectors().col(column), dual);
    std::copy(axis.data(),
              axis.data() + width,
              out.axes.begin() + static_cast<std::ptrdiff_t>(k) * width);
    out.explained[static_cast<size_t>(k)] = variance / total;
  }
  return out;
}

std::vector<double> Pca::project(std::span<const double> x) const {
  const auto rows = static_cast<int64_t>(x.size()) / width;
  SV_CHECK_EQ(rows * width, static_cast<int64_t>(x.size()));
  std::vector<double> out(static_cast<size_t>(rows) * static_cast<size_t>(components));
  Matrix centred = Eigen::Map<const Matrix>(x.data(), rows, width);
  centred.rowwise() -= Eigen::Map<const Eigen::RowVectorXd>(mean.data(), width);
  Eigen::Map<Matrix>(out.data(), rows, components).noalias() =
      centred * Eigen::Map<const Matrix>(axes.data(), components, width).transpose();
  return out;
}

}  // namespace sv::linalg
