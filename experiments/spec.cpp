#include "experiments/spec.h"

#include <set>

#include "core/nearest.h"
#include "data/tasks.h"
#include "models/train/objective.h"

namespace sv {

void Spec::check(Problems& p) const {
  if (std::set<int>(seeds.begin(), seeds.end()).size() != seeds.size()) {
    p.add("seeds", "a seed stands twice");
  }
  std::vector<std::string> tasks;
  for (const TaskEntry& t : task_table()) {
    tasks.emplace_back(t.name);
  }
  if (std::find(tasks.begin(), tasks.end(), task) == tasks.end()) {
    p.add("task", "'" + task + "' is no task" + did_you_mean(task, tasks));
  }
  std::vector<std::string> models;
  for (const ZooEntry& z : zoo()) {
    models.emplace_back(z.name);
  }
  if (std::find(models.begin(), models.end(), model.name) == models.end()) {
    p.add("model.name", "'" + model.name + "' is no model" + did_you_mean(model.name, models));
  }
  if (model.width % model.heads != 0) {
    p.add("model.heads",
          std::to_string(model.heads) +
              " does not divide model.width = " + std::to_string(model.width));
  }
  if (const ZooEntry* family = find_family(model.name)) {
    check_halt(halt, *family, model, p);
    check_objective(*family, p);
  }
}

void Spec::check_objective(const ZooEntry& family, Problems& p) const {
  const auto it = std::ranges::find(objectives(), train.supervision, &ObjectiveEntry::name);
  if (it != objectives().end() && it->needs_halt_probability &&
      !family.has_halt_probability(model)) {
    p.add("train.supervision",
          train.supervision + " needs a halting probability, and " + std::string(family.name) +
              (family.halt == HaltScore::with_halt_head ? " has one with model.halt_head=true"
                                                        : " has none"));
  }
  if (train.gate_only > 0 && !family.has_halt_probability(model)) {
    p.add("train.gate_only", std::string(family.name) + " has no gate to train alone");
  }
  if (family.halt == HaltScore::bound && train.halt_weight > 0) {
    p.add("train.halt_weight",
          "= " + std::to_string(train.halt_weight) + ": the halting of " +
              std::string(family.name) + " learns from the answers and from train.penalty; use 0");
  }
}

void check_halt(const HaltSettings& halt,
                const ZooEntry& family,
                const ModelSettings& model,
                Problems& p) {
  const Halt rule = make_halt(halt);
  if (family.halt == HaltScore::bound && rule.needs_score() && rule.kind != Halt::Kind::learned) {
    p.add("halt.rule",
          halt.rule + " needs a halting probability; the score of " + std::string(family.name) +
              " is its distance from the bound: learned is the nearest");
    return;
  }
  if (!rule.needs_score() || family.has_halt_score(model)) {
    return;
  }
  p.add("halt.rule",
        halt.rule + " needs a halting score, and " + std::string(family.name) +
            (family.halt == HaltScore::with_halt_head ? " has one with model.halt_head=true"
                                                      : " has none; change, divergence, entropy "
                                                        "and patience need no score"));
}

namespace {

/// The family that a source names; problems of the source are found later.
const ZooEntry* family_of(const ConfigSource& source) {
  Spec probe;
  ConfigReader reader(fields_of(probe));
  if (!source.file.empty()) {
    reader.read_file(source.file);
  }
  for (const std::string& text : source.overrides) {
    reader.read_override(text);
  }
  return find_family(probe.model.name);
}

}  // namespace

Spec load_spec(const ConfigSource& source) {
  Spec spec;
  if (const ZooEntry* family = family_of(source)) {
    const std::vector<Field> fields = fields_of(spec);
    family->for_each_default([&](std::string_view key, std::string_view value) {
      const Field* field = find_field(fields, key);
      SV_CHECK(field != nullptr, family->name, ": the default ", key, " is no key");
      const auto wrong = assign_text(*field, value);
      SV_CHECK(!wrong, family->name, ": the default ", key, " ", *wrong);
    });
  }
  load_settings(spec, source);
  return spec;
}

Workbench::Workbench(const Spec& spec)
    : spec_(spec), task_(make_task(spec.task, spec.data.options)) {
  if (spec_.model.name == "feedforward" && spec_.model.depth == 0) {
    spec_.model.depth = train_depth().max;
  }
}

const Dataset& Workbench::train_set() {
  if (!train_) {
    train_ = std::make_unique<Dataset>(
        task_, Split::train, spec_.data.seed, spec_.data.train_size, false);
  }
  return *train_;
}

const Dataset& Workbench::test_set() {
  if (!test_) {
    test_ = std::make_unique<Dataset>(
        task_, spec_.data.measured(), spec_.data.seed, spec_.data.test_size, true);
  }
  return *test_;
}

std::unique_ptr<Reasoner> Workbench::make_model(DType dtype, Device* device) const {
  return make_model(task_->spec(), dtype, device);
}

std::unique_ptr<Reasoner> Workbench::make_model(const TaskSpec& task,
                                                DType dtype,
                                                Device* device) const {
  return make_reasoner({spec_.model, task, seeds(), dtype, device});
}

}  // namespace sv
