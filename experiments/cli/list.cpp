// list and describe: what there is, in full sentences.
#include <fmt/format.h>

#include "core/nearest.h"
#include "data/tasks.h"
#include "experiments/cli/commands.h"
#include "experiments/config.h"
#include "experiments/spec.h"
#include "models/layouts/layout.h"
#include "models/train/objective.h"

namespace sv::cli {

namespace {

void list_tasks() {
  fmt::print("tasks (task=NAME):\n");
  for (const TaskEntry& t : task_table()) {
    fmt::print("  {:<18} {}\n", t.name, t.summary);
  }
}

void list_models() {
  fmt::print("models (model.name=NAME):\n");
  for (const ZooEntry& z : zoo()) {
    fmt::print("  {:<22} {}\n", z.name, z.summary);
  }
}

void list_layouts() {
  fmt::print("layouts (--layout NAME of import and export):\n");
  for (const Layout& l : layouts()) {
    fmt::print("  {:<18} {}\n", l.name, l.summary);
  }
}

void list_objectives() {
  fmt::print("objectives (train.supervision=NAME):\n");
  for (const ObjectiveEntry& o : objectives()) {
    fmt::print("  {:<18} {}\n", o.name, o.summary);
  }
}

/// The tap addresses of the model that the overrides describe.
void list_sites(const Arguments& a) {
  Spec spec = load_spec({"", a.overrides});
  spec.seeds = {0};
  spec.model.without_injection.clear();
  const auto model = Workbench(spec).make_model();
  fmt::print(
      "sites of {} (replace * by an update, a range 3..5, a list 1,4 or nested indices {}=1):\n",
      spec.model.name,
      model->schedule().index.front());
  for (const Site& site : model->sites()) {
    fmt::print("  {}\n", site_name(site, model->schedule()));
  }
}

void describe_task(const TaskEntry& entry) {
  if (entry.needs_file) {
    fmt::print("{}: {}\n  reads the options {}; data.file must be set\n",
               entry.name,
               entry.summary,
               entry.reads);
    return;
  }
  const auto task = entry.make({});
  const TaskSpec& s = task->spec();
  fmt::print("{}: {}\n", entry.name, entry.summary);
  fmt::print("  positions {}, input symbols {}, answers {}, attention {}\n",
             s.positions,
             s.vocab,
             s.answers,
             s.causal ? "causal" : "bidirectional");
  fmt::print("  difficulty: {}, up to {}\n", s.difficulty, s.max_difficulty);
  if (s.target_steps > 1) {
    fmt::print("  the target after loop r is its own for r = 1 .. {}\n", s.target_steps);
  }
  for (const Channel& c : s.coordinates) {
    fmt::print("  coordinate {}: {} values\n", c.name, c.size);
  }
  for (const TruthSpec& t : s.truths) {
    fmt::print("  truth {}{}: {} classes, {} steps. {}\n",
               t.name,
               t.group.empty() ? "" : " (group " + t.group + ")",
               t.classes,
               t.steps,
               t.help);
  }
  fmt::print("  reads the options {}\n", entry.reads.empty() ? "none" : std::string(entry.reads));
  for (const std::string& note : task->notes()) {
    fmt::print("  {}\n", note);
  }
}

void describe_model(const ZooEntry& z) {
  fmt::print("{}: {}\n  reads {}\n", z.name, z.summary, z.reads);
  if (!z.defaults.empty()) {
    fmt::print("  set unless you set it: {}\n", z.defaults);
  }
  fmt::print("  sites: subvocal list sites model.name={}\n", z.name);
}

}  // namespace

int list(const Arguments& a) {
  const std::vector<std::string> known = {
      "tasks", "models", "objectives", "layouts", "sites", "devices", "kernels", ""};
  if (std::find(known.begin(), known.end(), a.target) == known.end()) {
    fail("nothing called '", a.target, "' can be listed", did_you_mean(a.target, known));
  }
  if (a.target.empty() || a.target == "tasks") {
    list_tasks();
  }
  if (a.target.empty() || a.target == "models") {
    list_models();
  }
  if (a.target.empty() || a.target == "objectives") {
    list_objectives();
  }
  if (a.target.empty() || a.target == "layouts") {
    list_layouts();
  }
  if (a.target == "sites") {
    list_sites(a);
  }
  if (a.target == "devices") {
    list_devices();
  }
  if (a.target == "kernels") {
    list_kernels();
  }
  return 0;
}

int describe(const Arguments& a) {
  std::vector<std::string> known;
  for (const TaskEntry& t : task_table()) {
    if (t.name == a.target) {
      describe_task(t);
      return 0;
    }
    known.emplace_back(t.name);
  }
  for (const ZooEntry& z : zoo()) {
    if (z.name == a.target) {
      describe_model(z);
      return 0;
    }
    known.emplace_back(z.name);
  }
  Spec spec;
  for (const Field& f : fields_of(spec)) {
    if (f.key == a.target) {
      fmt::print("{} ({}{}{}): {}\n  default {}{}\n",
                 f.key,
                 type_text(f),
                 f.unit.empty() ? "" : ", ",
                 f.unit,
                 f.help,
                 value_text(f),
                 range_text(f).empty() ? "" : ", allowed " + range_text(f));
      return 0;
    }
    known.push_back(f.key);
  }
  fail("no task, model or key is called '", a.target, "'", did_you_mean(a.target, known));
}

}  // namespace sv::cli
