#include "experiments/published.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/nearest.h"
#include "data/io/json.h"
#include "data/io/safetensors.h"
#include "data/tasks.h"
#include "experiments/train_run.h"

namespace sv {

namespace {

constexpr const char* kWeights = "model.safetensors";
constexpr const char* kConfig = "config.json";
constexpr const char* kOurs = "subvocal";  // member of config.json with settings of ours

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> out;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find(' ', begin), text.size());
    if (end > begin) {
      out.emplace_back(text.substr(begin, end - begin));
    }
    begin = end + 1;
  }
  return out;
}

/// "key=value" lists, the later ones over the earlier.
std::vector<std::string> merged(const std::vector<std::vector<std::string>>& lists) {
  std::vector<std::string> out;
  for (const auto& list : lists) {
    for (const std::string& word : list) {
      const std::string key = word.substr(0, word.find('=') + 1);
      std::erase_if(out, [&](const std::string& x) { return x.starts_with(key); });
      out.push_back(word);
    }
  }
  return out;
}

std::string text_of(const nlohmann::json& value) {
  return value.is_string() ? value.get<std::string>() : dump_json(value, -1).substr(0, 64);
}

/// What config.json beside a checkpoint sets, as key=value; nothing where there is none.
std::vector<std::string> settings_in_config(const std::string& path, const Layout& layout) {
  if (!std::filesystem::exists(path)) {
    return {};
  }
  const nlohmann::json config = read_json(path);
  SV_CHECK(config.is_object(), path, " is no JSON object");
  std::vector<std::string> theirs, ours;
  for (const ConfigKey& key : layout.config) {
    const auto found = config.find(std::string(key.theirs));
    if (found != config.end() && found->is_number()) {
      theirs.push_back(std::string(key.ours) + "=" + dump_json(*found, -1));
      theirs.back().erase(theirs.back().find_last_not_of('\n') + 1);
    }
  }
  if (const auto found = config.find(kOurs); found != config.end()) {
    SV_CHECK(found->is_object(), path, ": '", kOurs, "' is no object");
    for (const auto& [key, value] : found->items()) {
      ours.push_back(key + "=" + text_of(value));
    }
  }
  return merged({theirs, ours});
}

/// A checkpoint's file and the config.json beside it.
struct Source {
  std::string weights, config;
};

Source source_of(const std::string& path) {
  const bool folder = std::filesystem::is_directory(path);
  const std::string parent = std::filesystem::path(path).parent_path().string();
  Source out{folder ? path + "/" + kWeights : path,
             (folder           ? path
              : parent.empty() ? "."
                               : parent) +
                 "/" + kConfig};
  if (!std::filesystem::exists(out.weights)) {
    fail("there is no '", out.weights, "'");
  }
  SV_CHECK(
      out.weights.ends_with(".safetensors"),
      out.weights,
      " is no safetensors file; models/layouts/convert_pickle.py makes one from what torch.save "
      "wrote");
  return out;
}

}  // namespace

Imported import_checkpoints(const ImportSource& source) {
  const Layout& layout = find_layout(source.layout);
  std::vector<Safetensors> files;
  std::vector<LayoutFile> checkpoints;
  std::vector<std::string> config;
  files.reserve(source.paths.size());
  for (const std::string& path : source.paths) {
    const Source s = source_of(path);
    files.push_back(Safetensors::read_foreign(s.weights));
    checkpoints.emplace_back(files.back(), layout, s.weights);
    const std::vector<std::string> mine = settings_in_config(s.config, layout);
    SV_CHECK(files.size() == 1 || mine == config,
             s.config,
             " and that of ",
             source.paths[0],
             " differ; models of a pack share their settings");
    config = mine;
  }
  const std::vector<std::string> layout_words = words_of(layout.settings);
  std::string seeds = "seeds=0.." + std::to_string(files.size() - 1);
  const auto read = [&](const std::vector<std::string>& told) {
    return load_spec({"", merged({layout_words, told, config, {seeds}, source.overrides})});
  };
  const Spec first = read({});
  const auto task = make_task(first.task, first.data.options);
  Imported out;
  out.spec = read(layout.told_by(checkpoints[0].shapes(), task->spec()));
  SV_CHECK(out.spec.seeds.size() == files.size(),
           files.size(),
           " checkpoints for ",
           out.spec.seeds.size(),
           " seeds");
  const Workbench bench(out.spec);
  out.model = bench.make_model();
  const std::vector<LayoutTensor> tensors = layout.tensors(out.spec.model, out.model->params());
  for (size_t m = 0; m < checkpoints.size(); ++m) {
    import_tensors(checkpoints[m], tensors, static_cast<int>(m), out.model->params());
  }
  return out;
}

const Layout& layout_of(const ModelSettings& model) {
  for (const Layout& layout : layouts()) {
    if (layout.fits(model)) {
      return layout;
    }
  }
  fail("no layout has names for models of ", model.name, " with these settings");
}

namespace {

/// Settings that a fresh spec of the layout does not have.
nlohmann::json settings_beyond(const Layout& layout, Spec spec) {
  Spec base = load_spec({"", words_of(layout.settings)});
  nlohmann::json out = nlohmann::json::object();
  const std::vector<Field> mine = fields_of(spec), theirs = fields_of(base);
  for (size_t i = 0; i < mine.size(); ++i) {
    const std::string value = value_text(mine[i]);
    if (mine[i].key != "seeds" && value != value_text(theirs[i])) {
      const bool quoted = value.size() >= 2 && value.front() == '"';
      out[mine[i].key] = quoted ? value.substr(1, value.size() - 2) : value;
    }
  }
  return out;
}

nlohmann::json config_of(const Layout& layout, Spec spec, int seed) {
  nlohmann::json out = {{"layout", layout.name}, {"seed", seed}};
  const std::vector<Field> fields = fields_of(spec);
  for (const ConfigKey& key : layout.config) {
    const Field* field = find_field(fields, key.ours);
    SV_CHECK(field != nullptr, layout.name, ": the key ", key.ours, " is none of ours");
    const std::string value = value_text(*field);
    const nlohmann::json number = nlohmann::json::parse(
        value.front() == '"' ? value.substr(1, value.size() - 2) : value, nullptr, false);
    if (number.is_number()) {  // a count that grows with training has no place in their file
      out[std::string(key.theirs)] = number;
    }
  }
  out[kOurs] = settings_beyond(layout, std::move(spec));
  return out;
}

}  // namespace

void export_checkpoint(const std::string& run_folder,
                       const Layout& layout,
                       int seed,
                       const std::string& folder) {
  const Spec spec = load_run_spec(run_folder);
  const Workbench bench(spec);
  const auto model = load_run_model(bench, run_folder);
  const auto place = std::ranges::find(spec.seeds, seed);
  if (place == spec.seeds.end()) {
    std::string known;
    for (const int s : spec.seeds) {
      known += (known.empty() ? "" : ", ") + std::to_string(s);
    }
    fail(run_folder, " has no seed ", seed, "; its seeds are ", known);
  }
  SV_CHECK(layout.fits(spec.model),
           "a model of ",
           spec.model.name,
           " with these settings has no names in layout ",
           layout.name);
  const std::vector<LayoutTensor> tensors = layout.tensors(spec.model, model->params());
  const std::vector<HostTensor> values =
      export_tensors(tensors, static_cast<int>(place - spec.seeds.begin()), model->params());
  std::vector<TensorView> views;
  for (const HostTensor& t : values) {
    views.push_back(t.view());
  }
  const std::string config = dump_json(config_of(layout, spec, seed));
  make_folders(folder, real_files());
  publish(folder,
          {safetensors_file(kWeights, views, {{"format", "pt"}}),
           {kConfig, [&](ByteSink& sink) { sink.write(as_bytes(config)); }}});
}

}  // namespace sv
