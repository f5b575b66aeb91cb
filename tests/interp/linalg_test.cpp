// Ridge regression and principal components against planted answers and plain solutions.
#include <gtest/gtest.h>

#include <cmath>

#include "core/check.h"
#include "core/rng.h"
#include "kernels/linalg/pca.h"
#include "kernels/linalg/ridge.h"

namespace sv::linalg {
namespace {

constexpr int64_t kRows = 200;
constexpr int64_t kInputs = 5;
constexpr int64_t kOutputs = 3;

std::vector<double> noise(size_t count, uint64_t seed) {
  const Rng rng(seed, 3);
  std::vector<double> out(count);
  for (size_t i = 0; i < count; ++i) {
    out[i] = rng.normal(i);
  }
  return out;
}

struct Problem {
  std::vector<double> x, w, b, y, cross, total;
};

/// y = W^T x + b exactly.
Problem planted() {
  Problem p;
  p.x = noise(kRows * kInputs, 1);
  p.w = noise(kInputs * kOutputs, 2);
  p.b = {1, -2, 0.5};
  p.y.assign(kRows * kOutputs, 0);
  p.cross.assign(kInputs * kOutputs, 0);
  p.total.assign(kOutputs, 0);
  for (size_t n = 0; n < kRows; ++n) {
    for (size_t k = 0; k < kOutputs; ++k) {
      double& y = p.y[n * kOutputs + k];
      y = p.b[k];
      for (size_t d = 0; d < kInputs; ++d) {
        y += p.x[n * kInputs + d] * p.w[d * kOutputs + k];
      }
      p.total[k] += y;
      for (size_t d = 0; d < kInputs; ++d) {
        p.cross[d * kOutputs + k] += p.x[n * kInputs + d] * y;
      }
    }
  }
  return p;
}

TEST(Ridge, RecoversAPlantedLinearMapWithItsIntercept) {
  const Problem p = planted();
  InputSums sums(kInputs);
  sums.add(p.x.data(), kRows);
  const LinearMap map = Ridge(sums, 1e-10).solve(p.cross, p.total);
  for (size_t i = 0; i < p.w.size(); ++i) {
    EXPECT_NEAR(map.weight[i], p.w[i], 1e-7);
  }
  for (size_t k = 0; k < p.b.size(); ++k) {
    EXPECT_NEAR(map.bias[k], p.b[k], 1e-7);
  }
  std::vector<double> out(kRows * kOutputs);
  map.apply(p.x.data(), kRows, out.data());
  for (size_t i = 0; i < out.size(); ++i) {
    EXPECT_NEAR(out[i], p.y[i], 1e-6);
  }
}

TEST(Ridge, SolvesThePenalisedNormalEquations) {
  // Optimality: (X_c^T X_c + lambda I) W = X_c^T Y, checked directly on centred rows.
  const Problem p = planted();
  InputSums sums(kInputs);
  sums.add(p.x.data(), kRows);
  const double strength = 0.3;
  const LinearMap map = Ridge(sums, strength).solve(p.cross, p.total);
  std::vector<double> mean(kInputs, 0);
  for (size_t i = 0; i < p.x.size(); ++i) {
    mean[i % kInputs] += p.x[i] / kRows;
  }
  std::vector<double> gram(kInputs * kInputs, 0);
  std::vector<double> right(kInputs * kOutputs, 0);
  for (size_t n = 0; n < kRows; ++n) {
    for (size_t i = 0; i < kInputs; ++i) {
      const double xi = p.x[n * kInputs + i] - mean[i];
      for (size_t j = 0; j < kInputs; ++j) {
        gram[i * kInputs + j] += xi * (p.x[n * kInputs + j] - mean[j]);
      }
      for (size_t k = 0; k < kOutputs; ++k) {
        right[i * kOutputs + k] += xi * p.y[n * kOutputs + k];
      }
    }
  }
  double trace = 0;
  for (size_t i = 0; i < kInputs; ++i) {
    trace += gram[i * kInputs + i];
  }
  for (size_t i = 0; i < kInputs; ++i) {
    gram[i * kInputs + i] += strength * trace / kInputs;
  }
  for (size_t i = 0; i < kInputs; ++i) {
    for (size_t k = 0; k < kOutputs; ++k) {
      double left = 0;
      for (size_t j = 0; j < kInputs; ++j) {
        left += gram[i * kInputs + j] * map.weight[j * kOutputs + k];
      }
      EXPECT_NEAR(left, right[i * kOutputs + k], 1e-8 * kRows);
    }
  }
}

TEST(Ridge, BlocksAddUpToTheWhole) {
  const Problem p = planted();
  InputSums whole(kInputs);
  whole.add(p.x.data(), kRows);
  InputSums parts(kInputs);
  for (int64_t n = 0; n < kRows; n += 30) {
    parts.add(p.x.data() + n * kInputs, std::min<int64_t>(30, kRows - n));
  }
  EXPECT_EQ(parts.rows(), whole.rows());
  for (size_t i = 0; i < kInputs; ++i) {
    for (size_t j = 0; j <= i; ++j) {
      EXPECT_NEAR(parts.gram()[i * kInputs + j], whole.gram()[i * kInputs + j], 1e-9);
    }
  }
}

TEST(Ridge, InputsWithoutVarianceGiveTheMean) {
  InputSums sums(2);
  const std::vector<double> x = {1, 1, 1, 1, 1, 1};
  sums.add(x.data(), 3);
  const std::vector<double> cross = {6, 6};
  const std::vector<double> total = {6};
  const LinearMap map = Ridge(sums, 1e-3).solve(cross, total);
  EXPECT_NEAR(map.weight[0], 0, 1e-12);
  EXPECT_NEAR(map.bias[0], 2, 1e-12);
}

TEST(Ridge, InputsThatAreNotFiniteThrow) {
  InputSums sums(2);
  const std::vector<double> x = {1, NAN, 2, 3};
  sums.add(x.data(), 2);
  EXPECT_THROW(Ridge(sums, 1e-3), Error);
}

/// Rows on a plane: 3 a + 1 b with orthonormal a, b, shifted.
std::vector<double> plane(int64_t rows, int64_t width) {
  std::vector<double> x(static_cast<size_t>(rows * width), 0.5);
  const std::vector<double> z = noise(static_cast<size_t>(2 * rows), 9);
  for (int64_t n = 0; n < rows; ++n) {
    x[static_cast<size_t>(n * width)] += 3 * z[static_cast<size_t>(2 * n)];
    x[static_cast<size_t>(n * width + 1)] += z[static_cast<size_t>(2 * n + 1)];
  }
  return x;
}

TEST(Pca, FindsThePlantedAxesFromEitherGramMatrix) {
  for (const int64_t width : {4, 60}) {  // fewer and more columns than rows
    const int64_t rows = 40;
    const std::vector<double> x = plane(rows, width);
    const Pca p = pca(x, width, 3);
    EXPECT_GT(std::abs(p.axes[0]), 0.98);
    EXPECT_GT(p.explained[0], 0.8);
    EXPECT_NEAR(p.explained[0] + p.explained[1], 1, 1e-9);
    EXPECT_EQ(p.explained[2], 0);
    double dot = 0;
    double norm = 0;
    for (size_t d = 0; d < static_cast<size_t>(width); ++d) {
      dot += p.axes[d] * p.axes[static_cast<size_t>(width) + d];
      norm += p.axes[d] * p.axes[d];
    }
    EXPECT_NEAR(dot, 0, 1e-9);
    EXPECT_NEAR(norm, 1, 1e-9);
    // Two axes hold everything: distances between rows survive the projection.
    const std::vector<double> z = p.project(x);
    double flat = 0;
    double full = 0;
    for (size_t k = 0; k < 3; ++k) {
      flat += std::pow(z[k] - z[3 + k], 2);
    }
    for (size_t d = 0; d < static_cast<size_t>(width); ++d) {
      full += std::pow(x[d] - x[static_cast<size_t>(width) + d], 2);
    }
    EXPECT_NEAR(flat, full, 1e-9 * full);
  }
}

TEST(Pca, RowsThatAreAllEqualHaveNoAxes) {
  const Pca p = pca(std::vector<double>(12, 2.0), 3, 2);
  EXPECT_EQ(p.explained[0], 0);
  EXPECT_EQ(p.axes[0], 0);
}

}  // namespace
}  // namespace sv::linalg
