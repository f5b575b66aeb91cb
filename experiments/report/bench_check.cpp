#include "experiments/report/bench_check.h"

#include <nlohmann/json.hpp>

#include "experiments/report/json_place.h"

namespace sv::report {
namespace {

constexpr int kBenchSchema = 1;

/// A number above zero (or zero, where `zero` allows it): a log axis has place for no other.
void expect_amount(const Place& at, bool zero = false) {
  expect_number(at);
  const double value = at.value->get<double>();
  if (value < 0 || (value == 0 && !zero)) {
    at.bad(zero ? "must not be negative" : "must be above zero");
  }
}

void check_mark(const Place& mark) {
  expect_text(required(mark, "name"));
  expect_amount(required(mark, "flops"), true);
  expect_amount(required(mark, "bytes"));
  expect_amount(required(mark, "seconds"));
  const Place quartiles = required(mark, "quartiles");
  expect_array(quartiles, 2, "an interval [low, high]");
  expect_amount(quartiles.item(0));
  expect_amount(quartiles.item(1));
  expect_amount(required(mark, "repetitions"));
}

}  // namespace

void check_bench(const nlohmann::json& bench, const std::string& file) {
  const Place all{&bench, &file, ""};
  const Place schema = required(all, "schema");
  if (*schema.value != kBenchSchema) {
    schema.bad("is " + schema.value->dump() + ", this program reads " +
               std::to_string(kBenchSchema));
  }
  expect_text(required(all, "shape"));
  expect_text(required(all, "isa"));
  expect_amount(required(all, "threads"));
  expect_amount(required(all, "gflops"));
  expect_amount(required(all, "gbs"));
  const Place marks = required(all, "marks");
  const size_t n = expect_array(marks, kAnyLength, "");
  if (n == 0) {
    marks.bad("is empty");
  }
  for (size_t i = 0; i < n; ++i) {
    check_mark(marks.item(i));
  }
}

}  // namespace sv::report
