#include "experiments/timing/compare.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/check.h"
#include "data/io/json.h"
#include "experiments/timing/timing.h"

namespace sv::bench {

namespace {

// A file with every repetition of every bench is below 1 MB.
constexpr JsonLimits kBenchmarkFile = {.bytes = size_t{64} << 20, .depth = 16, .items = 2'000'000};

double nanoseconds_per(const std::string& unit, const std::string& source) {
  const std::map<std::string, double> units = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}};
  const auto at = units.find(unit);
  if (at == units.end()) {
    fail(source, ": unknown time_unit '", unit, "'");
  }
  return at->second;
}

std::string text_or(const nlohmann::json& entry, const char* key, const std::string& otherwise) {
  const auto at = entry.find(key);
  return at != entry.end() && at->is_string() ? at->get<std::string>() : otherwise;
}

bool has_error(const nlohmann::json& entry) {
  const auto at = entry.find("error_occurred");
  return at != entry.end() && at->is_boolean() && at->get<bool>();
}

/// What one benchmark left: single runs, and the median that the library printed, where it did.
struct Runs {
  std::vector<double> single;
  double median = 0;  // 0: none was printed
};

void add_entry(const nlohmann::json& entry,
               const std::string& path,
               std::map<std::string, Runs>& all) {
  const std::string name = text_or(entry, "run_name", json_string(entry, "name", path));
  const std::string where = path + ": " + name;
  const std::string aggregate = text_or(entry, "aggregate_name", "");
  if (has_error(entry) || (!aggregate.empty() && aggregate != "median")) {
    return;
  }
  const double time = json_number(entry, "real_time", where) *
                      nanoseconds_per(json_string(entry, "time_unit", where), where);
  SV_CHECK(std::isfinite(time) && time > 0, where, ": real_time is ", time);
  Runs& runs = all[name];
  if (aggregate.empty()) {
    runs.single.push_back(time);
  } else {
    runs.median = time;
  }
}

}  // namespace

std::map<std::string, double> read_times(const std::string& path) {
  const nlohmann::json file = read_json(path, kBenchmarkFile);
  if (!file.is_object() || !file.contains("benchmarks") || !file["benchmarks"].is_array()) {
    fail(path, ": is no JSON output of Google Benchmark: it has no list 'benchmarks'");
  }
  std::map<std::string, Runs> all;
  for (const nlohmann::json& entry : file["benchmarks"]) {
    if (!entry.is_object()) {
      fail(path, ": an entry of 'benchmarks' is ", entry.type_name(), ", not an object");
    }
    add_entry(entry, path, all);
  }
  std::map<std::string, double> times;
  for (const auto& [name, runs] : all) {
    times[name] = runs.median > 0 ? runs.median : timing_of(runs.single).median;
  }
  if (times.empty()) {
    fail(path, ": holds no time of any benchmark");
  }
  return times;
}

Comparison compare_files(const std::string& a, const std::string& b) {
  const auto times_a = read_times(a), times_b = read_times(b);
  Comparison out;
  for (const auto& [name, time] : times_a) {
    const auto at = times_b.find(name);
    if (at == times_b.end()) {
      out.only_a.push_back(name);
    } else {
      out.pairs.push_back({name, time, at->second});
    }
  }
  for (const auto& [name, time] : times_b) {
    if (!times_a.contains(name)) {
      out.only_b.push_back(name);
    }
  }
  if (out.pairs.empty()) {
    fail("'",
         a,
         "' and '",
         b,
         "' have no benchmark in common: ",
         out.only_a[0],
         ", ",
         out.only_b[0]);
  }
  return out;
}

}  // namespace sv::bench
