// Principal components in double, from whichever of the two Gram matrices is smaller.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace sv::linalg {

struct Pca {
  int64_t width = 0;
  int components = 0;
  std::vector<double> mean;       // (width)
  std::vector<double> axes;       // (components, width), orthonormal; largest entry positive
  std::vector<double> explained;  // (components) share of the variance
  /// x (rows, width) to coordinates (rows, components).
  std::vector<double> project(std::span<const double> x) const;
};

/// x (rows, width). Axes without variance are zero. Deterministic; the sign is fixed.
Pca pca(std::span<const double> x, int64_t width, int components);

}  // namespace sv::linalg
