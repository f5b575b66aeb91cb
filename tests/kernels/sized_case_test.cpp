// The table of sized cases: every op has one, of the asked shape, and it is the op.
#include "kernels/ops/sized_case.h"

#include <algorithm>
#include <sstream>

#include "kernels/op_cases.h"

namespace sv::cases {
namespace {

// Odd wherever an op allows it; rope turns pairs, so a head is 2 wide.
constexpr SizedDims kSmall = {
    .M = 3, .B = 5, .T = 7, .d = 6, .out = 11, .heads = 3, .hidden = 9, .vocab = 13};

/// The dimension called `name`.
int64_t& dimension(SizedDims& dims, const std::string& name) {
  const std::vector<std::pair<std::string, int64_t*>> all = {{"M", &dims.M},
                                                             {"B", &dims.B},
                                                             {"T", &dims.T},
                                                             {"d", &dims.d},
                                                             {"out", &dims.out},
                                                             {"heads", &dims.heads},
                                                             {"hidden", &dims.hidden},
                                                             {"vocab", &dims.vocab}};
  for (const auto& [known, place] : all) {
    if (known == name) {
      return *place;
    }
  }
  fail("no dimension ", name);
}

std::string shapes_of(const Case& c) {
  std::ostringstream text;
  for (const Input& in : c.inputs) {
    text << in.shape << ' ';
  }
  for (const Output& out : c.outputs) {
    text << out.shape << ' ';
  }
  return text.str();
}

std::string message_of(const std::string& op, const SizedDims& dims) {
  try {
    sized_case(op, dims);
  } catch (const Error& e) {
    EXPECT_EQ(e.exit, Exit::input);
    return e.what();
  }
  return "";
}

TEST(SizedCase, TheTableHasTheOpsOfAllCasesInTheirOrder) {
  std::vector<std::string> sized, all;
  for (const SizedOp& op : sized_ops()) {
    sized.push_back(op.op);
  }
  for (const OpCases& op : all_cases()) {
    all.push_back(op.op);
  }
  EXPECT_EQ(sized, all);
}

TEST(SizedCase, AgreesWithItsReferenceAtASmallOddShape) {
  for (const SizedOp& op : sized_ops()) {
    SCOPED_TRACE(op.op);
    const Case c = sized_case(op.op, kSmall);
    EXPECT_EQ(c.models, 3);
    compare_with_reference(c, DType::f32);
    compare_with_reference(c, DType::f64);
  }
}

TEST(SizedCase, HasAGradientWhereTheOpHasOne) {
  for (const SizedOp& op : sized_ops()) {
    const bool none = op.op == "adam_atan2" || op.op == "adamw" || op.op == "compact" ||
                      op.op == "halt" || op.op == "mlp" || op.op == "readout_stats" ||
                      op.op == "rows" || op.op == "sample" || op.op == "sgd";
    EXPECT_EQ(sized_case(op.op, kSmall).vjp != nullptr, !none) << op.op;
  }
}

TEST(SizedCase, CountsBytesOfEveryOpAndFlopsOfAllButCopies) {
  const std::vector<std::string> copies = {"columns",
                                           "compact",
                                           "concat",
                                           "embed",
                                           "gather_positions",
                                           "positions",
                                           "rows",
                                           "transpose",
                                           "unfold"};
  for (const SizedOp& op : sized_ops()) {
    const Case c = sized_case(op.op, kSmall);
    EXPECT_GT(c.bytes, 0) << op.op;
    EXPECT_EQ(c.flops > 0, std::ranges::find(copies, op.op) == copies.end()) << op.op;
  }
}

TEST(SizedCase, ItsWorkDependsOnTheDimensionsItReadsAndOnNoOther) {
  for (const SizedOp& op : sized_ops()) {
    const Case small = sized_case(op.op, kSmall);
    for (const std::string name : {"M", "B", "T", "d", "out", "hidden", "vocab"}) {
      SizedDims dims = kSmall;
      dimension(dims, name) *= 2;
      const Case larger = sized_case(op.op, dims);
      const bool reads = std::ranges::find(op.reads, name) != op.reads.end();
      EXPECT_EQ(shapes_of(larger) != shapes_of(small), reads) << op.op << ": " << name;
    }
  }
}

TEST(SizedCase, RefusesWhatDoesNotGoTogether) {
  SizedDims dims = kSmall;
  dims.heads = 4;
  EXPECT_NE(message_of("attention_mix", dims).find("heads=4 must divide d=6"), std::string::npos);
  EXPECT_EQ(message_of("matmul", dims), "");
  dims.heads = 2;
  EXPECT_NE(message_of("rope", dims).find("must be even"), std::string::npos);
  dims.vocab = 0;
  EXPECT_NE(message_of("matmul", dims).find("at least 1"), std::string::npos);
}

TEST(SizedCase, RefusesTensorsThatNoMachineOfTodayHolds) {
  SizedDims dims = kSmall;
  dims.B = dims.T = 65536;
  for (const SizedOp& op : sized_ops()) {
    const bool large = std::ranges::find(op.reads, "T") != op.reads.end();
    EXPECT_EQ(message_of(op.op, dims).find("elements") != std::string::npos, large) << op.op;
  }
}

TEST(SizedCase, NamesTheNearestOp) {
  EXPECT_NE(message_of("matmull", kSmall).find("did you mean 'matmul'?"), std::string::npos);
}

}  // namespace
}  // namespace sv::cases
