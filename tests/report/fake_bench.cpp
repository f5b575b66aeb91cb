// A made-up bench.json for the tests of the report.
#include "report/fake_findings.h"

namespace sv::report_testing {

using nlohmann::json;

json fake_bench() {
  const auto mark = [](const char* name, double flops, double bytes, double seconds) {
    return json{{"name", name},
                {"flops", flops},
                {"bytes", bytes},
                {"seconds", seconds},
                {"quartiles", {0.9 * seconds, 1.2 * seconds}},
                {"repetitions", 9}};
  };
  return {{"schema", 1},
          {"shape", "5 models, 64 sequences"},
          {"isa", "avx2"},
          {"threads", 2},
          {"gflops", 160.0},
          {"gbs", 20.0},
          {"marks",
           {mark("matmul", 53e6, 4.5e6, 1e-3),
            mark("concat", 0, 8.8e6, 1e-3),
            mark("training step", 17e9, 170e6, 0.25)}}};
}

}  // namespace sv::report_testing
