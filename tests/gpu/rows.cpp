#include "gpu/rows.h"

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "core/check.h"
#include "experiments/build_info.h"
#include "kernel_states_values.h"

namespace sv::gpu {

using nlohmann::json;

Stamp stamp_of(const std::string& device, const std::string& toolkit) {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char date[16];
  std::strftime(date, sizeof date, "%Y-%m-%d", &utc);
  // "cuda:0 NVIDIA H100" without the place it has on this machine.
  return {device.substr(device.find(' ') + 1), toolkit, build_info().commit, date};
}

Rows Rows::load(const std::string& path) {
  Rows rows;
  if (!std::filesystem::exists(path)) {
    return rows;
  }
  std::ifstream file(path);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  try {
    const json doc = json::parse(text);
    SV_CHECK(doc.at("schema") == 2, "another schema");
    for (const json& row : doc.at("kernels")) {
      rows.kernels_[row.at("kernel")] = row.dump();
    }
    for (const json& row : doc.at("runs")) {
      rows.runs_[row.at("name")] = row.dump();
    }
  } catch (const std::exception& e) {
    fail(path, " does not hold the rows of a check: ", e.what());
  }
  return rows;
}

void Rows::put(const Report& report, const Stamp& stamp) {
  for (const KernelReport& k : report.kernels) {
    const json row = {{"kernel", k.kernel},
                      {"source", k.source},
                      {"gpu", stamp.gpu},
                      {"driver", stamp.toolkit},
                      {"date", stamp.date},
                      {"result", k.problem.empty() ? "pass" : "fail"},
                      {"cases", k.cases},
                      {"repeats", k.repeats},
                      {"error", k.error},
                      {"microseconds", 0.0},
                      {"gbs", 0.0},
                      {"of_copy", 0.0}};
    kernels_[k.kernel] = row.dump();
  }
}

void Rows::put(const Runs& runs, const Stamp& stamp) {
  for (const Run& r : runs.all()) {
    const json row = {{"name", r.name},
                      {"value", r.value},
                      {"unit", r.unit},
                      {"goal", r.goal},
                      {"met", r.met},
                      {"gpu", stamp.gpu},
                      {"toolkit", stamp.toolkit},
                      {"commit", stamp.commit},
                      {"date", stamp.date}};
    runs_[r.name] = row.dump();
  }
}

void Rows::put(const std::map<std::string, KernelTime>& times, double copy) {
  for (const auto& [name, time] : times) {
    const auto found = kernels_.find(name);
    const auto listed = std::ranges::find_if(
        kernel_states::kRows, [&](const kernel_states::Row& k) { return name == k.kernel; });
    if (found == kernels_.end() || listed == kernel_states::kRows.end()) {
      continue;
    }
    json row = json::parse(found->second);
    if (row["source"] == listed->source) {
      row["microseconds"] = time.seconds * 1e6;
      row["gbs"] = time.gbs;
      row["of_copy"] = copy > 0 ? time.gbs * 1e9 / copy : 0.0;
      found->second = row.dump();
    }
  }
}

std::string Rows::text() const {
  json doc = {{"schema", 2}, {"kernels", json::array()}, {"runs", json::array()}};
  for (const auto& [name, row] : kernels_) {
    doc["kernels"].push_back(json::parse(row));
  }
  for (const auto& [name, row] : runs_) {
    doc["runs"].push_back(json::parse(row));
  }
  return doc.dump(1) + "\n";
}

void Rows::save(const std::string& path) const {
  std::ofstream file(path);
  file << text();
  file.close();
  SV_CHECK(file.good(), "could not write ", path);
}

}  // namespace sv::gpu
