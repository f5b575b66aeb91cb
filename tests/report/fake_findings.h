// Made-up run folders that look like real ones: for the tests of the report only.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

namespace sv::report_testing {

struct FakeRun {
  int seeds = 4;
  int rows = 6, cols = 6, box_rows = 2, box_cols = 3;  // the board
  int max_depth = 32;
  bool grid = true;  // false: a sequence task without a board
  std::string name = "6×6 Sudoku";
};

/// A findings document with every part the contract knows.
nlohmann::json fake_findings(const FakeRun& run);

/// A bench.json of three marks, one of them a copy.
nlohmann::json fake_bench();

/// metrics.jsonl of `seeds` looped seeds and one control.
std::string fake_metrics(const FakeRun& run, int steps = 600);

/// An own folder below the test's temporary folder (or below $SV_REPORT_KEEP, to look at the
/// pages).
std::string fresh_folder(const std::string& name);
void write_text(const std::string& path, const std::string& text);
std::string read_text(const std::string& path);

/// Writes the three files of the run folder and returns the folder.
std::string write_run(const std::string& name,
                      const nlohmann::json& findings,
                      const std::string& metrics,
                      const nlohmann::json& run_json);
std::string write_run(const std::string& name, const FakeRun& run);

}  // namespace sv::report_testing
