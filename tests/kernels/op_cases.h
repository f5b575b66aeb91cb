// What the op tests share: one parameter per op of the table, named after it.
#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <span>

#include "kernels/ops/all_cases.h"
#include "kernels/ops/case_run.h"

namespace sv::cases {

/// A suite over all ops; each law runs over every case of its op.
class OpTest : public testing::TestWithParam<OpCases> {
 protected:
  template <class F>
  void each_case(F&& law) const {
    for (const Case& c : GetParam().make()) {
      SCOPED_TRACE(GetParam().op + ": " + c.name);
      law(c);
      if (HasFatalFailure()) {
        return;
      }
    }
  }
};

inline std::string op_name(const testing::TestParamInfo<OpCases>& info) {
  return info.param.op;
}
inline void PrintTo(const OpCases& op, std::ostream* out) {
  *out << op.op;
}

inline void expect_close(const Array& got,
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

/// Runs the case and compares every output with the plain reference.
inline void compare_with_reference(const Case& c, DType dtype) {
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

}  // namespace sv::cases
