// Cases of gather_rows and scatter_rows, with skipped rows.
#pragma once
#include "kernels/ops/case.h"
#include "kernels/ops/rows/rows.h"

namespace sv::cases {

/// Distinct rows of B in a seeded order, every third one skipped.
inline Input chosen_rows(int64_t models, int64_t B, int64_t chosen) {
  Array values;
  for (int64_t m = 0; m < models; ++m) {
    std::vector<int> order;
    for (int b = 0; b < B; ++b) {
      order.push_back(b);
    }
    RngCursor cursor(Rng(5, stream_of("rows"), static_cast<uint64_t>(m)));
    cursor.shuffle(order);
    for (int64_t j = 0; j < chosen; ++j) {
      values.push_back(j % 3 == 2 ? -1 : order[static_cast<size_t>(j)]);
    }
  }
  return given("rows", {models, chosen}, values, Kind::i32);
}

/// `whole` starts as input 0 and has rows copied in from input 1; from_x says which of the two has
/// B rows.
inline Case rows_case(const std::string& name,
                      const Shape& x,
                      int64_t chosen,
                      int64_t row_models,
                      bool gather,
                      Kind kind) {
  Case c;
  c.name = name;
  c.models = static_cast<int>(x[0]);
  const Shape y = x.with(1, chosen);
  const Shape& target = gather ? y : x;
  c.inputs = {integers("before", target, -9, 9),
              integers("source", gather ? x : y, -99, 99),
              chosen_rows(row_models, x[1], chosen)};
  c.inputs[0].kind = c.inputs[1].kind = kind;
  c.outputs = {{.name = "after", .shape = target, .kind = kind, .starts_as = 0}};
  c.run = [=](const Context& ctx, const Tensors& in, const Tensors& out) {
    (gather ? ops::gather_rows : ops::scatter_rows)(ctx, in[1], in[2], out[0]);
  };
  c.reference = [=](const Arrays& in, Arrays& out) {
    const int64_t size = x.numel() / (x[0] * x[1]);
    for (int64_t i = 0; i < x[0] * chosen * size; ++i) {
      const int64_t m = i / (chosen * size), j = i / size % chosen;
      const auto row = static_cast<int64_t>(in[2][(row_models == 1 ? 0 : m) * chosen + j]);
      const int64_t place = (m * x[1] + row) * size + i % size;
      if (row >= 0) {
        out[0][gather ? i : place] = in[1][gather ? place : i];
      }
    }
  };
  c.tolerance = {0, 0, "a copy"};
  c.bytes = 8.0 * y.numel();
  return c;
}

inline std::vector<Case> rows_cases() {
  return {rows_case("gather M3", {3, 7, 2, 5}, 4, 3, true, Kind::real),
          rows_case("gather M2 shared i32", {2, 9, 3}, 6, 1, true, Kind::i32),
          rows_case("scatter M3", {3, 7, 2, 5}, 5, 3, false, Kind::real),
          rows_case("scatter M2 i32", {2, 9, 4}, 9, 2, false, Kind::i32),
          rows_case("gather M2 large", {2, 64, 36, 48}, 40, 2, true, Kind::real)};
}

}  // namespace sv::cases
