// Every op against its plain reference in double, in f32 and in f64.
#include "kernels/op_cases.h"

namespace sv::cases {
namespace {

class OpParity : public OpTest {};

TEST_P(OpParity, MatchesTheReferenceInSingle) {
  each_case([](const Case& c) { compare_with_reference(c, DType::f32); });
}

TEST_P(OpParity, MatchesTheReferenceInDouble) {
  each_case([](const Case& c) { compare_with_reference(c, DType::f64); });
}

INSTANTIATE_TEST_SUITE_P(All, OpParity, testing::ValuesIn(all_cases()), op_name);

}  // namespace
}  // namespace sv::cases
