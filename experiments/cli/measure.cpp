// eval, collect, lens, probe, patch, dynamics, report: key=value to settings, then one call.
#include <fmt/format.h>

#include <filesystem>

#include "data/tasks.h"
#include "experiments/cli/commands.h"
#include "experiments/cli/keys.h"
#include "experiments/config.h"
#include "experiments/measure.h"
#include "experiments/report/report.h"
#include "experiments/train_run.h"
#include "interp/record.h"

namespace sv::cli {

namespace {

template <class Keys>
Keys keys_of_command(const Arguments& a) {
  Keys keys;
  load_settings(keys, {"", a.overrides});
  return keys;
}

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> out;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(at, begin), text.size());
    if (end > begin) {
      out.push_back(text.substr(begin, end - begin));
    }
    begin = end + 1;
  }
  return out;
}

/// `factor` times the deepest training, where the user has set nothing, but never beyond the model.
int depth_or(const Measured& run, int asked, int factor) {
  const int limit = run.model->schedule().max_updates;
  const int depth = asked > 0 ? asked : factor * run.train_max();
  return limit > 0 && asked == 0 ? std::min(depth, limit) : depth;
}

/// A recording may go into a folder of its own or beside segments, into nobody else's.
void require_recording_folder(const std::string& folder) {
  namespace fs = std::filesystem;
  if (fs::exists(folder) && !fs::is_directory(folder)) {
    fail("'", folder, "' is a file; a recording needs a folder");
  }
  for (const auto& entry :
       fs::exists(folder) ? fs::directory_iterator(folder) : fs::directory_iterator()) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("activations-") && !name.starts_with(".activations-") &&
        name.find("manifest.jsonl") == std::string::npos) {
      fail("'",
           folder,
           "' holds '",
           name,
           "', which is no part of a recording: choose another --out");
    }
  }
}

}  // namespace

int eval(const Arguments& a) {
  EvalKeys keys;
  keys.data = load_run_spec(a.target).data;
  const std::string own_data = settings_toml(keys.data);
  load_settings(keys, {"", a.overrides});
  const ModelSettings trained_as = load_run_spec(a.target).model;
  Problems problems;
  check_halt(keys.halt, *find_family(trained_as.name), trained_as, problems);
  if (!problems.list.empty()) {
    fail(problems.list.front().key, " ", problems.list.front().message, " (set in training)");
  }
  Measured run(a.target, thread_count(a), keys.untrained, a.opened);
  DepthMeasure what;
  what.depths = keys.depth_test;
  what.halt = make_halt(keys.halt);
  what.untrained = keys.untrained;
  std::unique_ptr<Dataset> other;
  if (!keys.task.empty() || settings_toml(keys.data) != own_data) {
    const std::string name = keys.task.empty() ? run.bench.spec().task : keys.task;
    const auto task = make_task(name, keys.data.options);
    const TaskSpec& trained = run.bench.task()->spec();
    const TaskSpec& asked = task->spec();
    SV_CHECK(asked.vocab == trained.vocab && asked.answers == trained.answers,
             "this data has ",
             asked.vocab,
             " symbols and ",
             asked.answers,
             " answers; the model was trained on ",
             trained.vocab,
             " and ",
             trained.answers);
    if (asked.positions != trained.positions) {
      run.refit(asked);
    }
    const bool ood = keys.data.measured() == Split::ood;
    const std::string& file = ood ? keys.data.options.ood_file : keys.data.options.file;
    other = std::make_unique<Dataset>(
        task, keys.data.measured(), keys.data.seed, keys.data.test_size, true);
    what.data = other.get();
    what.label = (ood ? "out-of-distribution examples of " : "held-out examples of ") +
                 (file.empty() ? name : file) + " with " + std::to_string(asked.positions) +
                 " positions";
  }
  measure_depth(run, what);
  if (keys.breadth > 1) {
    const std::vector<int>& depths =
        keys.depth_test.empty() ? run.bench.spec().depth.test : keys.depth_test;
    measure_breadth(run, {keys.breadth, *std::ranges::max_element(depths), keys.window, what.data});
  }
  const Dataset& shown = other ? *other : run.bench.test_set();
  for (const std::string& note : shown.task().notes()) {
    fmt::print("{}\n", note);
  }
  if (other == nullptr) {
    const double overlap = solution_overlap(run.bench.train_set(), shown);
    if (overlap >= 0) {
      fmt::print(
          "{:.1f} % of the held-out solutions also solve a training example (the held-out problems "
          "do not occur in training)\n",
          100 * overlap);
    }
  }
  return 0;
}

int generate(const Arguments& a) {
  const auto keys = keys_of_command<GenerateKeys>(a);
  Measured run(a.target, thread_count(a));
  measure_writing(run, {keys.examples, keys.shown, keys.depth, keys.cache, keys.temperature});
  return 0;
}

int collect(const Arguments& a) {
  const auto keys = keys_of_command<CollectKeys>(a);
  Measured run(a.target, thread_count(a), false, a.opened);
  RecordPlan plan;
  plan.sites = split(keys.sites, ';');
  const int updates = depth_or(run, keys.depth, 4) * run.model->schedule().period();
  for (int r = 1; r <= updates; ++r) {
    plan.updates.push_back(r);
  }
  plan.run = run.run_options();
  const Dataset& data = run.bench.test_set();
  const int64_t count = std::min<int64_t>(keys.examples, data.size());
  SegmentOptions o;
  o.config_digest = run.spec_digest;
  o.bf16 = keys.dtype == "bf16";
  const std::string folder = a.out.empty() ? run.folder + "/activations" : a.out;
  require_recording_folder(folder);
  if (count < keys.examples) {
    fmt::print("the held-out set has {} examples, fewer than the {} asked\n", count, keys.examples);
  }
  fmt::print("recording {} examples, {} updates: about {:.1f} MB into {}\n",
             count,
             updates,
             static_cast<double>(estimate_bytes(*run.model, data, count, plan)) /
                 (keys.dtype == "bf16" ? 2e6 : 1e6),
             folder);
  std::filesystem::create_directories(folder);
  const SegmentReport report = write_segments(*run.model, data, 0, count, plan, folder, o);
  for (const std::string& file : report.files) {
    fmt::print("{}/{}\n", folder, file);
  }
  fmt::print("{:.1f} MB written; open with h5py or xarray (data/examples/open_results.py)\n",
             static_cast<double>(report.bytes) / 1e6);
  return 0;
}

int lens(const Arguments& a) {
  const auto keys = keys_of_command<LensKeys>(a);
  Measured run(a.target, thread_count(a), false, a.opened);
  measure_lens(run, keys.examples, depth_or(run, keys.depth, 4));
  return 0;
}

int probe(const Arguments& a) {
  const auto keys = keys_of_command<ProbeKeys>(a);
  Measured run(a.target, thread_count(a), false, a.opened);
  measure_probe(run,
                {keys.target,
                 keys.site,
                 keys.examples,
                 depth_or(run, keys.depth, 4),
                 keys.train_share,
                 keys.ridge});
  return 0;
}

int patch(const Arguments& a) {
  const auto keys = keys_of_command<PatchKeys>(a);
  const std::vector<std::string> modes = split(keys.mode, ',');
  for (const std::string& mode : modes) {
    SV_CHECK(mode == "at" || mode == "window" || mode == "clamp",
             "mode '",
             mode,
             "' is none of at, window, clamp");
  }
  Measured run(a.target, thread_count(a), false, a.opened);
  measure_patch(run, {modes, keys.site, keys.window, keys.pairs, depth_or(run, keys.depth, 2)});
  return 0;
}

int dynamics(const Arguments& a) {
  const auto keys = keys_of_command<DynamicsKeys>(a);
  Measured run(a.target, thread_count(a), false, a.opened);
  measure_dynamics(run, keys.examples, keys.trajectories, depth_or(run, keys.depth, 8));
  return 0;
}

int report(const Arguments& a) {
  const std::string path = a.out.empty() ? a.target + "/report.html" : a.out;
  render_report(a.target, path);
  fmt::print("{}\n", path);
  return 0;
}

}  // namespace sv::cli
