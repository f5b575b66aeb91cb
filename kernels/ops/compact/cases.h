// Cases of live_rows, gather_live and scatter_live: flags in a seeded pattern, every row and no row
// live, fewer places than live rows and more.
#pragma once
#include "kernels/ops/case.h"
#include "kernels/ops/compact/compact.h"

namespace sv::cases {

/// The list of a state's live rows, those rows in a batch of `chosen`, and put back into another
/// state. Model 0 has no live row, model 1 all, the others about two thirds.
inline Case compact_case(const std::string& name, const Shape& x, int64_t chosen) {
  Case c;
  c.name = name;
  const int64_t M = x[0], B = x[1], size = x.numel() / (M * B);
  c.models = static_cast<int>(M);
  Input live = integers("live", {M, B}, 0, 3);
  for (int64_t i = 0; i < M * B; ++i) {
    double& flag = live.values[static_cast<size_t>(i)];
    flag = i / B == 0 ? 0 : i / B == 1 ? 1 : flag;
  }
  const Shape small = x.with(1, chosen);
  c.inputs = {live,
              constant(normal("state", x)),
              constant(normal("batch before", small)),
              constant(normal("state before", x))};
  c.outputs = {{.name = "rows", .shape = {M, B}, .kind = Kind::i32},
               {.name = "count", .shape = {M}, .kind = Kind::i32},
               {.name = "batch", .shape = small, .starts_as = 2},
               {.name = "state", .shape = x, .starts_as = 3}};
  c.run = [](const Context& ctx, const Tensors& in, const Tensors& out) {
    ops::live_rows(ctx, in[0], out[0], out[1]);
    ops::gather_live(ctx, in[1], out[0], out[2]);
    ops::scatter_live(ctx, out[2], out[0], out[3]);
  };
  c.reference = [=](const Arrays& in, Arrays& out) {
    for (int64_t m = 0; m < M; ++m) {
      int64_t found = 0;
      for (int64_t b = 0; b < B; ++b) {
        out[0][m * B + b] = -1;
        if (in[0][m * B + b] == 0) {
          continue;
        }
        out[0][m * B + found] = static_cast<double>(b);
        for (int64_t i = 0; found < chosen && i < size; ++i) {
          const double value = in[1][(m * B + b) * size + i];
          out[2][(m * chosen + found) * size + i] = value;
          out[3][(m * B + b) * size + i] = value;
        }
        ++found;
      }
      out[1][m] = static_cast<double>(found);
    }
  };
  c.tolerance = {0, 0, "copies"};
  c.bytes = 8.0 * M * B + 16.0 * small.numel();
  return c;
}

inline std::vector<Case> compact_cases() {
  return {compact_case("M4 B7 T2 D5", {4, 7, 2, 5}, 5),
          compact_case("M3 B1 T1 D1", {3, 1, 1, 1}, 1),
          compact_case("M3 B600 T1 D4", {3, 600, 1, 4}, 450),
          compact_case("M3 B40 T9 D48", {3, 40, 9, 48}, 40)};
}

}  // namespace sv::cases
