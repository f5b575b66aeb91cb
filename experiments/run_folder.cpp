#include "experiments/run_folder.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/check.h"
#include "data/io/json.h"
#include "data/io/publish.h"
#include "experiments/build_info.h"
#include "experiments/config.h"

namespace sv {
namespace {

using nlohmann::json;

constexpr const char* kSpec = "spec.toml";
constexpr const char* kRun = "run.json";
constexpr JsonLimits kRunLimits{.bytes = size_t{16} << 20, .depth = 8};

json build_json() {
  const BuildInfo b = build_info();
  return {{"version", b.version},
          {"commit", b.commit},
          {"type", b.type},
          {"compiler", b.compiler},
          {"isa", b.isa},
          {"sanitize", b.sanitize},
          {"flags", b.flags}};
}

json start_json(const RunStart& start) {
  return {{"command", start.command},
          {"argv", start.argv},
          {"build", build_json()},
          {"device", start.device},
          {"isa", start.isa},
          {"threads", start.threads},
          {"host", host_name()},
          {"pid", getpid()},
          {"started", utc_now()},
          {"status", "running"}};
}

json parse_run(const std::string& text, const std::string& path) {
  json run = parse_json(text, path, kRunLimits);
  json_string(run, "spec_digest", path);
  if (!json_member(run, "starts", path).is_array() || run["starts"].empty()) {
    fail(path, ": 'starts' must be a list that is not empty");
  }
  return run;
}

std::string read_text(const std::string& path, Files& files) {
  return std::string(as_text(read_published(path, files)));
}

/// A run exists once its manifest lists run.json: a kill before that leaves files that belong to
/// nobody.
bool holds_run(const std::string& folder, Files& files) {
  return Manifest::load(folder, files).find(kRun) != nullptr;
}

/// Refuses a folder whose content is somebody else's. What a start that was killed early leaves is
/// fine.
void require_no_foreign_files(const std::string& folder) {
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name != "lock" && name != kManifestName && name != kSpec && name != kRun) {
      fail("'", folder, "' exists and is no run folder: it holds '", name, "' but no ", kRun);
    }
  }
}

}  // namespace

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text.data();
}

std::string run_path(const std::string& out, const std::string& name) {
  const bool plain = std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
  if (name.empty() || name.size() > 100 || !plain || name[0] == '.' || name[0] == '-') {
    fail("'", name, "' is no name for a run: use up to 100 letters, digits, '.', '_', '-'");
  }
  return join_path(out, name);
}

std::optional<std::string> run_spec_digest(const std::string& path, Files& files) {
  const std::string run = join_path(path, kRun);
  if (!holds_run(path, files)) {
    return std::nullopt;
  }
  return parse_run(read_text(run, files), run)["spec_digest"].get<std::string>();
}

RunFolder::RunFolder(std::string path, FolderLock lock, Files& files)
    : path_(std::move(path)), lock_(std::move(lock)), files_(&files) {
  remove_leftovers(path_, *files_);
}

void RunFolder::load() {
  existed_ = true;
  run_json_ = read_text(file(kRun), *files_);
  spec_toml_ = read_text(file(kSpec), *files_);
  const json run = parse_run(run_json_, file(kRun));
  spec_digest_ = run["spec_digest"].get<std::string>();
  if (const auto facts = run.find("facts"); facts != run.end() && facts->is_object()) {
    for (const auto& [key, value] : facts->items()) {
      facts_[key] = value.is_string() ? value.get<std::string>() : dump_json(value, -1);
    }
  }
}

void RunFolder::begin(const RunStart& start) {
  json run = run_json_.empty() ? json::object() : parse_run(run_json_, file(kRun));
  if (run.empty()) {
    run = {{"schema_version", 1},
           {"program", "subvocal"},
           {"spec_digest", spec_digest_},
           {"seeds", start.seeds},
           {"starts", json::array()}};
  }
  run["starts"].push_back(start_json(start));
  run_json_ = dump_json(run);
  std::vector<NewFile> files{{kRun, [this](ByteSink& sink) { sink.write(as_bytes(run_json_)); }}};
  if (!existed_) {
    files.push_back({kSpec, [this](ByteSink& sink) { sink.write(as_bytes(spec_toml_)); }});
  }
  publish(path_, files, {}, *files_);
}

RunFolder RunFolder::create(const std::string& path,
                            const RunStart& start,
                            const std::string& spec_toml,
                            const std::string& spec_digest,
                            Files& files) {
  if (std::filesystem::exists(path) && !std::filesystem::is_directory(path)) {
    fail("'", path, "' is a file; a run needs a folder of its own");
  }
  make_folders(path, files);
  RunFolder run(path, FolderLock(path), files);
  if (const auto found = run_spec_digest(path, files)) {
    if (*found != spec_digest) {
      fail("run folder '",
           path,
           "' holds a run with other settings (spec digest ",
           found->substr(0, 12),
           ", now ",
           spec_digest.substr(0, 12),
           "): choose another --out, or compare with '",
           run.file(kSpec),
           "'");
    }
    run.load();
  } else {
    require_no_foreign_files(path);
    run.spec_toml_ = spec_toml;
    run.spec_digest_ = spec_digest;
  }
  run.begin(start);
  return run;
}

RunFolder RunFolder::open(const std::string& path, const RunStart& start, Files& files) {
  if (!holds_run(path, files)) {
    fail("'", path, "' is no run folder: no ", kRun, " is listed in its ", kManifestName);
  }
  RunFolder run(path, FolderLock(path), files);
  run.load();
  run.begin(start);
  return run;
}

void RunFolder::finish(const std::string& status) {
  json run = parse_run(run_json_, file(kRun));
  json& start = run["starts"].back();
  start["ended"] = utc_now();
  start["status"] = status;
  for (const auto& [key, value] : of_start_) {
    start[key] = value;
  }
  if (!facts_.empty()) {
    run["facts"] = facts_;
  }
  run_json_ = dump_json(run);
  publish_bytes(file(kRun), as_bytes(run_json_), *files_);
}

}  // namespace sv
