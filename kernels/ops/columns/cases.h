// Cases of slice_columns and select_columns.
#pragma once
#include "kernels/ops/case.h"
#include "kernels/ops/columns/columns.h"

namespace sv::cases {

/// y (M, N, count) of x (M, N, D), column j of which is column `columns[j]`.
inline Case columns_case(
    const std::string& name, int64_t M, int64_t N, int64_t D, const std::vector<int>& columns) {
  const auto count = static_cast<int64_t>(columns.size());
  Case c;
  c.name = name;
  c.models = static_cast<int>(M);
  c.inputs = {normal("x", {M, N, D}, 1.0, true)};
  c.outputs = {{.name = "y", .shape = {M, N, count}, .rows = true}};
  c.run = [=](const Context& ctx, const Tensors& in, const Tensors& out) {
    ops::select_columns(ctx, in[0], columns, out[0]);
  };
  c.vjp = [=](const Context& ctx,
              const Tensors&,
              const Tensors&,
              const Tensors& dout,
              const Grads& din) { ops::select_columns_vjp(ctx, dout[0], columns, din[0]); };
  c.reference = [=](const Arrays& in, Arrays& out) {
    for (int64_t i = 0; i < M * N * count; ++i) {
      const int64_t column = columns[static_cast<size_t>(i % count)];
      out[0][static_cast<size_t>(i)] = in[0][static_cast<size_t>(i / count * D + column)];
    }
  };
  c.tolerance = {0, 0, "a copy"};
  c.bytes = 8.0 * static_cast<double>(M * N * count);
  return c;
}

inline Case slice_columns_case(
    const std::string& name, int64_t M, int64_t N, int64_t D, int64_t begin, int64_t count) {
  std::vector<int> columns;
  for (int64_t i = begin; i < begin + count; ++i) {
    columns.push_back(static_cast<int>(i));
  }
  Case c = columns_case(name, M, N, D, columns);
  c.run = [=](const Context& ctx, const Tensors& in, const Tensors& out) {
    ops::slice_columns(ctx, in[0], begin, out[0]);
  };
  c.vjp = [=](const Context& ctx,
              const Tensors&,
              const Tensors&,
              const Tensors& dout,
              const Grads& din) { ops::slice_columns_vjp(ctx, dout[0], begin, din[0]); };
  return c;
}

inline std::vector<Case> columns_cases() {
  return {slice_columns_case("slice M3 N5 D7", 3, 5, 7, 2, 3),
          slice_columns_case("slice M2 N3 D4 whole", 2, 3, 4, 0, 4),
          slice_columns_case("slice M2 N900 D96 large", 2, 900, 96, 31, 65),
          columns_case("select M3 N5 D7 some twice", 3, 5, 7, {6, 0, 3, 3, 1, 6, 6}),
          columns_case("select M2 N4 D3 more than there are", 2, 4, 3, {0, 0, 1, 2, 2, 1, 0, 1}),
          columns_case("select M2 N900 D90 large", 2, 900, 90, {5, 89, 5, 0, 44, 45, 46, 17})};
}

}  // namespace sv::cases
