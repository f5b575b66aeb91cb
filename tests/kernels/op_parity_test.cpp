// Every op against its plain reference in double, in f32 and in f64.
#include <cmath>

#include "kernels/op_cases.h"

namespace sv::cases {
namespace {

class OpParity : public OpTest {};

void expect_close(const Array& got,
                  const Array& expected,
                  double tolerance,
                  const std::string& what) {
  ASSERT_EQ(got.size(), expected.size()) << what;
  double scale = 1;
  for (const double e : expected) {
    scale = std::isfinite(e) ? std::max(scale, std::abs(e)) : scale;
  }
  for (size_t i = 0; i < got.size(); ++i) {
    const bool same = got[i] == expected[i] || (std::isnan(got[i]) && std::isnan(expected[i]));
    ASSERT_TRUE(same || std::abs(got[i] - expected[i]) <= tolerance * scale)
        << what << "[" << i << "]: got " << got[i] << ", reference " << expected[i]
        << ", tolerance " << tolerance << " of " << scale;
  }
}

void compare_with_reference(const Case& c, DType dtype) {
  Arrays in, expected;
  for (const Input& input : c.inputs) {
    in.push_back(input.values);
  }
  for (const Output& output : c.outputs) {
    expected.push_back(output.starts_as < 0 ? Array(static_cast<size_t>(output.shape.numel()))
                                            : in[static_cast<size_t>(output.starts_as)]);
  }
  c.reference(in, expected);
  CaseRun run(c, dtype);
  run.forward(1);
  const double tolerance = dtype == DType::f32 ? c.tolerance.f32 : c.tolerance.f64;
  for (size_t i = 0; i < expected.size(); ++i) {
    expect_close(run.outputs()[i].read(), expected[i], tolerance, c.outputs[i].name);
  }
}

TEST_P(OpParity, MatchesTheReferenceInSingle) {
  each_case([](const Case& c) { compare_with_reference(c, DType::f32); });
}

TEST_P(OpParity, MatchesTheReferenceInDouble) {
  each_case([](const Case& c) { compare_with_reference(c, DType::f64); });
}

INSTANTIATE_TEST_SUITE_P(All, OpParity, testing::ValuesIn(all_cases()), op_name);

}  // namespace
}  // namespace sv::cases
