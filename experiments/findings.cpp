#include "experiments/findings.h"

#include <fmt/format.h>

#include <cmath>
#include <filesystem>

#include "data/io/json.h"
#include "experiments/config.h"
#include "experiments/train_run.h"
#include "kernels/memory/device.h"

namespace sv {

using nlohmann::json;

namespace {

/// The folder, if it holds a run whose training has ended (`started` is enough for untrained
/// models).
const std::string& require_finished(const std::string& folder, bool started) {
  namespace fs = std::filesystem;
  if (!started && fs::exists(folder + "/spec.toml") && !fs::exists(folder + "/model.safetensors")) {
    fail("training of '", folder, "' has not ended; go on with: subvocal resume ", folder);
  }
  if (!fs::exists(folder + "/spec.toml")) {
    fail("no run in '", folder, "': ", folder, "/spec.toml is missing");
  }
  return folder;
}

}  // namespace

Measured::Measured(const std::string& run_folder, int thread_count, bool fresh, Device* device)
    : folder(require_finished(run_folder, fresh)),
      lock(run_folder),
      bench(load_run_spec(run_folder)),
      threads(thread_count) {
  spec_digest = settings_digest(load_run_spec(run_folder));
  model = fresh ? bench.make_model(DType::f32, device) : load_run_model(bench, run_folder, device);
}

void Measured::refit(const TaskSpec& task) {
  Params& own = model->params();
  auto other = bench.make_model(task, DType::f32, own.device());
  for (Param& p : own) {
    Buffer& into = other->params()[other->params().find(p.name)].value;
    if (!(into.tensor().shape == p.value.tensor().shape)) {
      fail("this model is made for the ",
           bench.task()->spec().positions,
           " positions of its training: '",
           p.name,
           "' is ",
           p.value.tensor().shape,
           ", for ",
           task.positions,
           " positions it would be ",
           into.tensor().shape,
           "; a model without a weight per position (model.positions=none or rope, "
           "model.mixer=attention) reads any number");
    }
    std::swap(into, p.value);
  }
  model = std::move(other);
}

Provenance Measured::provenance() {
  const int set = bench.spec().data.train_size;
  return {set > 0 ? set : bench.train_set().size(), bench.spec().depth.train};
}

std::vector<Group> groups_of(const Spec& spec) {
  Group main{spec.model.name, {}, {}, false};
  Group control{"no injection", {}, {}, true};
  for (size_t m = 0; m < spec.seeds.size(); ++m) {
    const auto& without = spec.model.without_injection;
    const bool is_control =
        std::find(without.begin(), without.end(), spec.seeds[m]) != without.end();
    Group& group = is_control ? control : main;
    group.models.push_back(static_cast<int>(m));
    group.seeds.push_back(static_cast<uint64_t>(spec.seeds[m]));
  }
  std::vector<Group> out;
  for (Group& g : {std::ref(main), std::ref(control)}) {
    if (!g.models.empty()) {
      out.push_back(g);
    }
  }
  return out;
}

std::string number_text(double value, int decimals, const char* unit) {
  return std::isfinite(value) ? fmt::format("{:.{}f}{}", value, decimals, unit) : "–";
}

namespace {

/// Claims rest on the first group; the controls of the pack do not add to its seeds.
bool exploratory(const Spec& spec) {
  return groups_of(spec).front().seeds.size() < static_cast<size_t>(kSeedsForClaims);
}

json head(Measured& run) {
  const Spec& spec = run.bench.spec();
  const Depth depth = run.bench.train_depth();
  json doc;
  doc["schema"] = 1;
  doc["spec_digest"] = run.spec_digest;
  doc["title"] = spec.task + ", " + spec.model.name + ", trained at depth " + spec.depth.train;
  doc["exploratory"] = exploratory(spec);
  doc["task"] = {{"name", spec.task},
                 {"train_size", run.provenance().train_items},
                 {"test_size", run.bench.test_set().size()},
                 {"notes", run.bench.task()->notes()}};
  const char* laws[] = {"fixed", "uniform", "list", "poisson"};
  doc["train_depth"] = {
      {"law", laws[static_cast<int>(depth.kind)]}, {"min", depth.min}, {"max", depth.max}};
  doc["seeds"] = spec.seeds;
  doc["groups"] = json::array();
  for (const Group& g : groups_of(spec)) {
    doc["groups"].push_back({{"name", g.name}, {"seeds", g.seeds}, {"control", g.control}});
  }
  return doc;
}

constexpr JsonLimits kFindingsLimits{size_t{256} << 20, 16, 20'000'000, size_t{64} << 10};

json load(const std::string& path) {
  return std::filesystem::exists(path) ? read_json(path, kFindingsLimits) : json::object();
}

void write(const std::string& path, const json& doc) {
  const std::string text = dump_json(doc, -1);
  publish_bytes(path, std::as_bytes(std::span(text.data(), text.size())));
}

/// The present document with a fresh head; parts of another spec are dropped, title and summary
/// kept.
json current(Measured& run, const std::string& path) {
  json doc = load(path);
  if (doc.value("spec_digest", "") != run.spec_digest) {
    doc = json::object();
  }
  const json fresh = head(run);
  for (const auto& [key, value] : fresh.items()) {
    if (key != "title" || !doc.contains("title")) {
      doc[key] = value;
    }
  }
  return doc;
}

/// Where and how the runs behind a result were made: the device, and how many transformer blocks in
/// one call or op by op; of these, how many without an attention pattern and with an MLP in one
/// call.
void note_path(Measured& run, json& value) {
  if (!value.is_object()) {
    return;
  }
  Device* const device = run.model->params().device();
  value["device"] = device_name(device);
  if (device != nullptr) {
    value["products"] = device->products();
  }
  const int64_t fused = run.blocks.fused.exchange(0), plain = run.blocks.plain.exchange(0);
  const int64_t patternless = run.blocks.patternless.exchange(0);
  const int64_t fused_mlp = run.blocks.fused_mlp.exchange(0);
  if (fused + plain > 0) {
    value["blocks"] = {{"fused", fused}, {"plain", plain}};
  }
  if (patternless + fused_mlp > 0) {
    value["blocks"]["patternless"] = patternless;
    value["blocks"]["fused_mlp"] = fused_mlp;
  }
}

}  // namespace

void save_part(Measured& run, const std::string& part, json value) {
  const std::string path = run.folder + "/findings.json";
  json doc = current(run, path);
  note_path(run, value);
  const size_t dot = part.find('.');
  json& slot =
      dot == std::string::npos ? doc[part] : doc[part.substr(0, dot)][part.substr(dot + 1)];
  slot = std::move(value);
  write(path, doc);
}

void save_entry(Measured& run,
                const std::string& part,
                const std::vector<std::string>& keys,
                json value) {
  const std::string path = run.folder + "/findings.json";
  json doc = current(run, path);
  note_path(run, value);
  json& list = doc[part];
  if (!list.is_array()) {
    list = json::array();
  }
  for (json& entry : list) {
    if (std::all_of(keys.begin(), keys.end(), [&](const std::string& k) {
          return entry.value(k, json()) == value.value(k, json());
        })) {
      entry = std::move(value);
      write(path, doc);
      return;
    }
  }
  list.push_back(std::move(value));
  write(path, doc);
}

void save_summary(const std::string& run_folder,
                  const std::string& title,
                  const json& summary,
                  const json& timing) {
  const std::string path = run_folder + "/findings.json";
  json doc = load(path);
  doc["title"] = title;
  doc["summary"] = summary;
  doc["timing"] = timing;
  write(path, doc);
}

json json_of(double value) {
  return std::isfinite(value) ? json(value) : json();
}
json json_of(const std::vector<double>& values) {
  json out = json::array();
  for (const double v : values) {
    out.push_back(json_of(v));
  }
  return out;
}
json json_of(const Grid& grid) {
  json out = json::array();
  for (const auto& row : grid) {
    out.push_back(json_of(row));
  }
  return out;
}
json json_of(const Interval& interval) {
  return {json_of(interval.low), json_of(interval.high)};
}
json json_of(const std::vector<Interval>& intervals) {
  json out = json::array();
  for (const Interval& i : intervals) {
    out.push_back(json_of(i));
  }
  return out;
}

Grid rows_of(const Grid& grid, const std::vector<int>& models) {
  Grid out;
  for (const int m : models) {
    out.push_back(grid[static_cast<size_t>(m)]);
  }
  return out;
}

H5Writer results_file(Measured& run, const std::string& what) {
  const Spec& spec = run.bench.spec();
  H5Root root;
  root.schema = "subvocal." + what;
  root.config_digest = run.spec_digest;
  root.more = {{"task", spec.task},
               {"model", spec.model.name},
               {"train_size", run.provenance().train_items},
               {"train_depth", spec.depth.train},
               {"exploratory", static_cast<int64_t>(exploratory(spec))}};
  return H5Writer(root);
}

void put_grid(H5Writer& file,
              const std::string& name,
              const std::vector<std::string>& dims,
              const Grid& grid,
              const std::string& long_name) {
  std::vector<double> flat;
  for (const auto& row : grid) {
    flat.insert(flat.end(), row.begin(), row.end());
  }
  const auto columns = static_cast<int64_t>(grid.empty() ? 0 : grid.front().size());
  file.dataset<double>(
      name, dims, flat, {static_cast<int64_t>(grid.size()), columns}, {"1", long_name});
}

void put_axis(H5Writer& file,
              const std::string& dim,
              const std::vector<int>& values,
              const std::string& long_name) {
  const std::vector<int32_t> v(values.begin(), values.end());
  file.coordinate<int32_t>(dim, v, {"1", long_name});
}

}  // namespace sv
