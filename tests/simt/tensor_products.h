// Products in tf32 and bf16 against exact ones: within the bound of their sums, and as good as a
// plain program with the same rounding.
#pragma once
#include "kernels/ops/case.h"

namespace sv::cases {

inline constexpr double kHalfUlp = 1.0 / (1 << 24);  // of 1 in f32

/// The exact product out (R, C) = a (R, depth) b (C, depth)^T of one model, and the same of
/// absolute values, which bounds count in.
struct Exact {
  Array sum, size;
};
/// y, dx, dw of one model.
std::vector<Exact> exact_products(
    const Array& x, const Array& w, const Array& dy, int64_t N, int64_t K, int64_t O);

/// Of y, dx and dw together, the largest:
struct TensorErrors {
  /// error against the exact product of rounded operands, of what the sums may be off by: depth
  /// half ulps of the sum of absolute values, to first order.
  double of_bound = 0;
  /// error against that of the given operands, of the error of a program that rounds them alike and
  /// adds in f32.
  double of_plain = 0;
};
/// Of x (1, N, K) with w (1, O, K) on a device; throws where it has no such precision.
TensorErrors tensor_errors(Device& device, Precision precision, int64_t N, int64_t K, int64_t O);

std::vector<float> floats(const std::vector<std::byte>& bytes);

}  // namespace sv::cases
