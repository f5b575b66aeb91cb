#include "gpu/timed_cases.h"

#include "kernels/ops/matmul/cases.h"

namespace sv::gpu {

namespace {

/// A large product in each precision, w in f32 and in bf16; then few rows and few columns.
std::vector<TimedCase> products(const ProductDims& d) {
  std::vector<TimedCase> list;
  for (const bool narrow : {false, true}) {
    for (const Precision precision : {Precision::f32, Precision::tf32, Precision::bf16}) {
      list.push_back(
          {cases::matmul_mode_case("large", {d.M, d.N, d.K, d.O, true}, {precision, narrow}),
           true,
           precision});
    }
    list.push_back({cases::matmul_mode_case(
                        "few rows", {d.M, d.few, d.K, d.O, true}, {Precision::f32, narrow}),
                    true});
  }
  list.push_back({cases::matmul_case("few columns", {d.M, d.N, d.K, d.few, true}), true});
  return list;
}

}  // namespace

std::vector<TimedCase> timed_cases(const std::string& op, const TimeOptions& options) {
  if (op == "matmul") {
    return products(options.products);
  }
  return {{cases::sized_case(op, options.dims)}};
}

}  // namespace sv::gpu
