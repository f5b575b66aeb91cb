// Reads the files of a run folder that a report is rendered from, with limits and messages that
// name the place.
#include "experiments/report/run_files.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <vector>

#include "core/check.h"
#include "data/io/files.h"
#include "data/io/json.h"

namespace sv::report {
namespace {

using nlohmann::json;

constexpr size_t kMaxPoints = 200;  // per curve: beyond this the pixels repeat
// What a browser still opens with pleasure; the contract nests 7 deep.
constexpr JsonLimits kFindings = {.bytes = size_t{256} << 20, .depth = 24, .items = 20'000'000};
constexpr JsonLimits kLine = {};
constexpr int64_t kMaxSpec = int64_t{1} << 20;

/// One curve of one seed: what the training lines of a (label, seed) say.
struct Curve {
  std::vector<double> step, loss, accuracy, grad_norm, seconds;
};

double number_or_nan(const json& line, const char* key, const std::string& where) {
  const auto at = line.find(key);
  if (at == line.end() || at->is_null()) {
    return std::nan("");
  }
  if (!at->is_number()) {
    fail(where, ": ", key, " must be a number, it is ", at->type_name());
  }
  return at->get<double>();
}

std::string label_of(const json& line, const std::string& where) {
  const auto at = line.find("label");
  if (at == line.end()) {
    return "model";
  }
  if (!at->is_string()) {
    fail(where, ": label must be a string, it is ", at->type_name());
  }
  return at->get<std::string>();
}

/// Mean of each run of `size` values; JSON has no NaN, so a mean without a finite value becomes
/// null.
json thin(const std::vector<double>& values, size_t size) {
  json out = json::array();
  for (size_t begin = 0; begin < values.size(); begin += size) {
    const size_t end = std::min(begin + size, values.size());
    double sum = 0;
    for (size_t i = begin; i < end; ++i) {
      sum += values[i];
    }
    const double mean = sum / static_cast<double>(end - begin);
    out.push_back(std::isfinite(mean) ? json(mean) : json(nullptr));
  }
  return out;
}

json to_json(const std::string& label, double seed, const Curve& curve) {
  const size_t group_size = (curve.step.size() + kMaxPoints - 1) / kMaxPoints;
  const double seconds = curve.seconds.back();
  return {{"label", label},
          {"seed", seed},
          {"group_size", group_size},
          {"last_step", curve.step.back()},
          {"seconds", std::isfinite(seconds) ? json(seconds) : json(nullptr)},
          {"step", thin(curve.step, group_size)},
          {"loss", thin(curve.loss, group_size)},
          {"accuracy", thin(curve.accuracy, group_size)},
          {"grad_norm", thin(curve.grad_norm, group_size)}};
}

}  // namespace

json read_object(const std::string& path) {
  json value = read_json(path, kFindings);
  if (!value.is_object()) {
    fail(path, ": the document must be an object, it is ", value.type_name());
  }
  return value;
}

json read_training(const std::string& path) {
  const std::vector<std::byte> bytes = read_file(path, static_cast<int64_t>(kFindings.bytes));
  const std::string_view text = as_text(bytes);
  std::vector<std::pair<std::string, double>> order;
  std::map<std::pair<std::string, double>, Curve> curves;
  size_t begin = 0;
  for (size_t number = 1; begin < text.size(); ++number) {
    const size_t end = text.find('\n', begin);
    if (end == std::string::npos) {
      break;
    }
    const std::string where = path + ":" + std::to_string(number);
    const std::string_view content = text.substr(begin, end - begin);
    begin = end + 1;
    if (content.empty()) {
      continue;
    }
    const json line = parse_json(content, where, kLine);
    if (!line.is_object()) {
      fail(where, ": a line must be an object, it is ", line.type_name());
    }
    if (line.value("event", json()) != "train") {
      continue;
    }
    const double seed = number_or_nan(line, "seed", where);
    const double step = number_or_nan(line, "step", where);
    if (!std::isfinite(seed) || !std::isfinite(step)) {
      fail(where, ": a training line needs the numbers 'step' and 'seed'");
    }
    const auto key = std::make_pair(label_of(line, where), seed);
    if (!curves.contains(key)) {
      order.push_back(key);
    }
    Curve& curve = curves[key];
    curve.step.push_back(step);
    curve.loss.push_back(number_or_nan(line, "loss", where));
    curve.accuracy.push_back(number_or_nan(line, "accuracy", where));
    curve.grad_norm.push_back(number_or_nan(line, "grad_norm", where));
    curve.seconds.push_back(number_or_nan(line, "seconds", where));
  }
  json out = json::array();
  for (const auto& key : order) {
    out.push_back(to_json(key.first, key.second, curves.at(key)));
  }
  return out;
}

namespace {

/// "key = value" lines of a flat settings file as "section.key"; quotes are taken off.
std::map<std::string, std::string> settings_of(const std::string& text) {
  std::map<std::string, std::string> out;
  std::istringstream lines(text);
  std::string section;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('[') && line.ends_with(']')) {
      section = line.substr(1, line.size() - 2) + ".";
    } else if (const size_t at = line.find(" = "); at != std::string::npos) {
      std::string value = line.substr(at + 3);
      if (value.size() > 1 && value.starts_with('"') && value.ends_with('"')) {
        value = value.substr(1, value.size() - 2);
      }
      out[section + line.substr(0, at)] = value;
    }
  }
  return out;
}

std::optional<int> whole_number(const std::string& text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value)
                                                                  : std::nullopt;
}

/// The forms of depth.train: "8", "2..4", "2,4,8", "poisson:8".
json train_depth_of(const std::string& text) {
  if (text.starts_with("poisson:")) {
    const auto mean = whole_number(text.substr(8));
    return mean ? json{{"law", "poisson"}, {"min", 1}, {"max", 4 * *mean}} : json();
  }
  const size_t dots = text.find("..");
  const std::string between = dots == std::string::npos ? "," : "..";
  std::vector<int> all;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(between, begin), text.size());
    const auto value = whole_number(text.substr(begin, end - begin));
    if (!value) {
      return json();
    }
    all.push_back(*value);
    begin = end + between.size();
  }
  return {{"law",
           dots != std::string::npos ? "uniform"
           : all.size() > 1          ? "list"
                                     : "fixed"},
          {"min", *std::min_element(all.begin(), all.end())},
          {"max", *std::max_element(all.begin(), all.end())}};
}

}  // namespace

json read_spec(const std::string& path) {
  const std::vector<std::byte> bytes = read_file(path, kMaxSpec);
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::map<std::string, std::string> said = settings_of(text);
  const auto value = [&](const char* name) {
    const auto at = said.find(name);
    return at == said.end() ? std::string() : at->second;
  };
  json out = json::object();
  if (const json depth = train_depth_of(value("depth.train")); !depth.is_null()) {
    out["train_depth"] = depth;
  }
  if (!value("task").empty()) {
    out["task"]["name"] = value("task");
  }
  if (const auto size = whole_number(value("data.train_size")); size && *size > 0) {
    out["task"]["train_size"] = *size;
  }
  return out;
}

}  // namespace sv::report
