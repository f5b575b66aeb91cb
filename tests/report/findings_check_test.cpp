// The contracts of findings.json and bench.json: what breaks it is named by file and path.
#include "experiments/report/findings_check.h"

#include <gtest/gtest.h>

#include "core/check.h"
#include "experiments/report/bench_check.h"
#include "report/fake_findings.h"

namespace sv::report_testing {
namespace {

using nlohmann::json;

struct Broken {
  const char* pointer;  // where the document is changed
  json value;           // what is put there
  const char* message;  // what the error must say
};

template <class Check>
std::string error_of(Check check) {
  try {
    check();
  } catch (const Error& error) {
    EXPECT_EQ(static_cast<int>(error.exit), static_cast<int>(Exit::input));
    return error.what();
  }
  return "";
}

std::string message_of(const json& findings) {
  return error_of([&] { report::check_findings(findings, "run/findings.json"); });
}

TEST(FindingsCheck, AcceptsTheWholeContract) {
  EXPECT_EQ(message_of(fake_findings(FakeRun{})), "");
}

TEST(FindingsCheck, AcceptsEachPartAlone) {
  const json all = fake_findings(FakeRun{});
  for (const char* part : {"depth", "lens", "probe", "patch", "dynamics", "tables", "summary"}) {
    EXPECT_EQ(message_of({{"schema", 1}, {"seeds", all["seeds"]}, {part, all[part]}}), "") << part;
  }
  EXPECT_EQ(message_of({{"schema", 1}}), "");
}

TEST(FindingsCheck, NamesThePlaceOfEveryBreak) {
  const std::vector<Broken> cases = {
      {"/schema", 2, "schema is 2"},
      {"/title", 3, "title must be a string, it is number"},
      {"/exploratory", "yes", "exploratory must be true or false"},
      {"/groups/1/control", 1, "groups[1].control must be true or false"},
      {"/depth/by_difficulty/0/unit", 1, "depth.by_difficulty[0].unit must be a string"},
      {"/task/train_size", "many", "task.train_size must be a number, it is string"},
      {"/task/notes", "text", "task.notes must be an array"},
      {"/seeds", json::array(), "seeds is empty"},
      {"/summary/0/text", nullptr, "summary[0] lacks 'text'"},
      {"/depth/depths", nullptr, "depth lacks 'depths'"},
      {"/depth/groups/0/exact/1",
       {0.5},
       "depth.groups[0].exact[1] has 1 entries, depth.depths has 13"},
      {"/depth/groups/0/accuracy/0/2", "high", "depth.groups[0].accuracy[0][2] must be a number"},
      {"/depth/groups/1/seeds",
       {0, 1},
       "depth.groups[1].accuracy has 1 entries, depth.groups[1].seeds has 2"},
      {"/depth/by_difficulty/0/difficulty",
       {1},
       "depth.by_difficulty[0].difficulty must be a string or a number"},
      {"/lens/positions", -1, "lens.positions must be a positive whole number"},
      {"/lens/grid", {6, 7}, "lens.grid does not cover the positions"},
      {"/lens/examples/0/tokens",
       {"1"},
       "lens.examples[0].tokens has 1 entries, lens.positions has 36"},
      {"/lens/examples/0/readout/0/0",
       json::array(),
       "lens.examples[0].readout[0][0] must be a string or a number"},
      {"/probe", json::object(), "probe must be an array"},
      {"/probe/0/accuracy", nullptr, "probe[0] lacks 'accuracy'"},
      {"/probe/0/control_shuffled/0", {1}, "probe[0].control_shuffled[0] has 1 entries"},
      {"/patch/0/effect/0", {1}, "patch[0].effect[0] has 1 entries, patch[0].positions has 5"},
      {"/patch/0/controls/0/name", 1, "patch[0].controls[0].name must be a string"},
      {"/dynamics/trajectory/0/pc/0", {1, 2, 3}, "dynamics.trajectory[0].pc[0] has 3 entries"},
      {"/dynamics/halting/count/0",
       {1},
       "dynamics.halting.count[0] has 1 entries, dynamics.halting.depths has 24"},
      {"/tables/0/rows/0", {1}, "tables[0].rows[0] has 1 entries, tables[0].columns has 4"},
  };
  for (const Broken& broken : cases) {
    json findings = fake_findings(FakeRun{});
    findings[json::json_pointer(broken.pointer)] = broken.value;
    const std::string message = message_of(findings);
    EXPECT_NE(message.find("run/findings.json: "), std::string::npos)
        << broken.pointer << ": " << message;
    EXPECT_NE(message.find(broken.message), std::string::npos) << broken.pointer << ": " << message;
  }
}

TEST(BenchCheck, AcceptsTheContractAndNamesThePlaceOfEveryBreak) {
  const auto bench_message = [](const json& bench) {
    return error_of([&] { report::check_bench(bench, "run/bench.json"); });
  };
  EXPECT_EQ(bench_message(fake_bench()), "");
  const std::vector<Broken> cases = {
      {"/schema", 2, "schema is 2"},
      {"/shape", 3, "shape must be a string"},
      {"/threads", nullptr, "lacks 'threads'"},
      {"/gflops", 0, "gflops must be above zero"},
      {"/gbs", "fast", "gbs must be a number"},
      {"/marks", json::array(), "marks is empty"},
      {"/marks/0/name", 1, "marks[0].name must be a string"},
      {"/marks/1/flops", -1, "marks[1].flops must not be negative"},
      {"/marks/1/bytes", 0, "marks[1].bytes must be above zero"},
      {"/marks/2/seconds", 0, "marks[2].seconds must be above zero"},
      {"/marks/2/quartiles", {1}, "marks[2].quartiles has 1 entries"},
      {"/marks/2/quartiles/1", "x", "marks[2].quartiles[1] must be a number"},
      {"/marks/0/repetitions", nullptr, "marks[0] lacks 'repetitions'"},
  };
  for (const Broken& broken : cases) {
    json bench = fake_bench();
    bench[json::json_pointer(broken.pointer)] = broken.value;
    const std::string message = bench_message(bench);
    EXPECT_NE(message.find("run/bench.json: "), std::string::npos) << message;
    EXPECT_NE(message.find(broken.message), std::string::npos) << broken.pointer << ": " << message;
  }
}

}  // namespace
}  // namespace sv::report_testing
