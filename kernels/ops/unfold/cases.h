// Cases of unfold: one and two dimensions, grids smaller than the kernel, one tap.
#pragma once
#include "kernels/ops/case.h"
#include "kernels/ops/unfold/unfold.h"

namespace sv::cases {

inline Case unfold_case(
    const std::string& name, int64_t M, int64_t B, ops::PatchGrid grid, int64_t D) {
  const int64_t H = grid.height, W = grid.width, k = grid.kernel, rows = H == 1 ? 1 : k;
  Case c;
  c.name = name;
  c.models = static_cast<int>(M);
  c.inputs = {normal("x", {M, B, H * W, D}, 1.0, true)};
  c.outputs = {{.name = "y", .shape = {M, B, H * W, rows * k * D}, .rows = true}};
  c.run = [=](const Context& ctx, const Tensors& in, const Tensors& out) {
    ops::unfold(ctx, in[0], grid, out[0]);
  };
  c.vjp = [=](const Context& ctx,
              const Tensors&,
              const Tensors&,
              const Tensors& dout,
              const Grads& din) { ops::unfold_vjp(ctx, dout[0], grid, din[0]); };
  c.reference = [=](const Arrays& in, Arrays& out) {
    size_t to = 0;
    for (int64_t n = 0; n < M * B * H * W; ++n) {
      const int64_t mb = n / (H * W), r = n / W % H, w = n % W;
      for (int64_t i = 0; i < rows; ++i) {
        for (int64_t j = 0; j < k; ++j) {
          const int64_t y = r + i - (rows - 1) / 2, x = w + j - (k - 1) / 2;
          const bool inside = y >= 0 && y < H && x >= 0 && x < W;
          for (int64_t d = 0; d < D; ++d, ++to) {
            out[0][to] = inside ? in[0][static_cast<size_t>(((mb * H + y) * W + x) * D + d)] : 0.0;
          }
        }
      }
    }
  };
  c.tolerance = {0, 0, "a copy"};
  c.bytes = 4.0 * static_cast<double>(M * B * H * W * D * (1 + rows * k));
  return c;
}

inline std::vector<Case> unfold_cases() {
  return {unfold_case("M3 B2 T7 D5 kernel 3", 3, 2, {1, 7, 3}, 5),
          unfold_case("M2 B2 T4 D3 kernel 7", 2, 2, {1, 4, 7}, 3),
          unfold_case("M2 B3 4x5 D3 kernel 3", 2, 3, {4, 5, 3}, 3),
          unfold_case("M2 B2 3x2 D4 kernel 5", 2, 2, {3, 2, 5}, 4),
          unfold_case("M2 B2 3x3 D4 kernel 1", 2, 2, {3, 3, 1}, 4),
          unfold_case("M2 B2 4x1 D2 kernel 3", 2, 2, {4, 1, 3}, 2),
          unfold_case("M2 B6 9x9 D16 kernel 3 large", 2, 6, {9, 9, 3}, 16)};
}

}  // namespace sv::cases
