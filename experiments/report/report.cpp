// Renders a run folder to one HTML file: the embedded page around the results as JSON.
#include "experiments/report/report.h"

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/check.h"
#include "data/io/files.h"
#include "experiments/report/bench_check.h"
#include "experiments/report/findings_check.h"
#include "experiments/report/page.h"
#include "experiments/report/run_files.h"

namespace sv {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

/// JSON that can stand inside a script element: no '<' or '&' is left that could end it or open a
/// comment. Bytes that are not UTF-8 become U+FFFD.
std::string script_safe(const json& value) {
  const std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace);
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '<':
        out += "\\u003c";
        break;
      case '>':
        out += "\\u003e";
        break;
      case '&':
        out += "\\u0026";
        break;
      default:
        out += c;
    }
  }
  return out;
}

/// What the figures get: {run_folder, findings, training, run, bench, spec}; a file that is not
/// there is null.
json gather(const std::string& run_folder) {
  if (!fs::is_directory(run_folder)) {
    fail(run_folder, ": is not a folder; a report is rendered from a run folder");
  }
  const auto path = [&](const char* name) { return (fs::path(run_folder) / name).string(); };
  const auto there = [&](const char* name) { return fs::exists(path(name)); };
  if (!there("findings.json") && !there("metrics.jsonl") && !there("run.json") &&
      !there("bench.json")) {
    fail(run_folder,
         ": is not a run folder: it holds none of findings.json, metrics.jsonl, run.json, "
         "bench.json");
  }
  json data = {{"run_folder", run_folder},
               {"findings", nullptr},
               {"training", nullptr},
               {"run", nullptr},
               {"bench", nullptr},
               {"spec", nullptr}};
  if (there("findings.json")) {
    data["findings"] = report::read_object(path("findings.json"));
    report::check_findings(data["findings"], path("findings.json"));
  }
  if (there("metrics.jsonl")) {
    data["training"] = report::read_training(path("metrics.jsonl"));
  }
  if (there("run.json")) {
    data["run"] = report::read_object(path("run.json"));
  }
  if (there("spec.toml")) {
    data["spec"] = report::read_spec(path("spec.toml"));
  }
  if (there("bench.json")) {
    data["bench"] = report::read_object(path("bench.json"));
    report::check_bench(data["bench"], path("bench.json"));
  }
  return data;
}

/// An older report stays until the new one is complete and durable. A report is rendered again at
/// will from published files, so it gets no manifest line of its own.
/// A report may replace a report, nothing else.
void require_replaceable(const std::string& path) {
  if (fs::is_directory(path)) {
    fail("'", path, "' is a folder; --out names the report's file");
  }
  std::ifstream old(path, std::ios::binary);
  std::string start(15, ' ');
  if (old && (!old.read(start.data(), 15) || start != "<!DOCTYPE html>")) {
    fail("'", path, "' exists and is no report; it is left as it is");
  }
}

void write_report(const std::string& output_path, const std::string& data) {
  const std::string temporary = output_path + ".new";
  try {
    OutFile out(real_files(), temporary);
    for (const std::string_view piece :
         {report::kPageBeforeData, std::string_view(data), report::kPageAfterData}) {
      out.write(as_bytes(piece));
    }
    out.sync_and_close();
  } catch (...) {
    remove_file(temporary);
    throw;
  }
  rename_file(temporary, output_path);
  sync_folder(folder_of(output_path));
}

}  // namespace

void render_report(const std::string& run_folder, const std::string& output_path) {
  require_replaceable(output_path);
  write_report(output_path, script_safe(gather(run_folder)));
}

}  // namespace sv
