#include "gpu/timed_cases.h"

#include "kernels/ops/attention_fused/cases.h"
#include "kernels/ops/matmul/cases.h"

namespace sv::gpu {

namespace {

constexpr std::pair<Precision, const char*> kPrecisions[] = {
    {Precision::f32, "f32"}, {Precision::tf32, "tf32"}, {Precision::bf16, "bf16"}};

TimedCase product(const std::string& run, const ProductDims& d, cases::MatmulMode mode) {
  return {cases::matmul_mode_case(run, {d.M, d.N, d.K, d.O, true}, mode), "matmul." + run, true};
}

/// Two products in each precision, the large one also with w in bf16; then few rows and few
/// columns.
std::vector<TimedCase> products(const TimeOptions& o) {
  std::vector<TimedCase> list;
  for (const auto& [precision, name] : kPrecisions) {
    list.push_back(product(std::string("large_") + name, o.large, {precision}));
    list.push_back(product(std::string("small_") + name, o.small, {precision}));
    list.push_back(product(std::string("narrow_") + name, o.large, {precision, true}));
  }
  const ProductDims rows{o.large.M, o.few, o.large.K, o.large.O};
  const ProductDims columns{o.large.M, o.large.N, o.large.K, o.few};
  list.push_back(product("few_rows", rows, {}));
  list.push_back(product("few_rows_narrow", rows, {Precision::f32, true}));
  list.push_back(product("few_columns", columns, {}));
  return list;
}

}  // namespace

std::vector<TimedCase> timed_cases(const std::string& op, const TimeOptions& o) {
  if (op == "matmul") {
    return products(o);
  }
  cases::SizedDims dims = o.dims;
  if (op == "adamw") {
    dims.out = o.adamw_out;
    dims.d = o.adamw_d;
  }
  std::vector<TimedCase> list = {{cases::sized_case(op, dims), op}};
  if (op == "attention_fused") {
    list.push_back(
        {cases::fused_bf16_case(
             "bf16", {dims.M, dims.B, dims.T, dims.T, dims.heads, dims.heads, dims.d / dims.heads}),
         op + ".bf16",
         true});
  }
  return list;
}

std::vector<TimedCase> library_cases(const TimeOptions& o) {
  return {product("cublaslt_tf32", o.large, {Precision::tf32}),
          product("cublaslt_bf16", o.large, {Precision::bf16})};
}

}  // namespace sv::gpu
