// Spec: every setting of a run, listed once. Its TOML is the run folder's spec.toml, its digest
// names the run.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/task_options.h"
#include "experiments/config.h"
#include "models/settings.h"
#include "models/train/settings.h"
#include "models/zoo.h"

namespace sv {

struct DataSettings {
  TaskOptions options;
  int train_size = 20000;
  int test_size = 1024;
  int seed = 0;
  std::string split = "test";

  Split measured() const { return split == "ood" ? Split::ood : Split::test; }

  template <class V>
  void fields(V& v) {
    options.fields(v);
    v("train_size",
      train_size,
      "training set; 0 = all of a finite file",
      range(0, 1e7),
      unit("examples"));
    v("test_size",
      test_size,
      "held-out set; 0 = all of a finite file",
      range(0, 1e6),
      unit("examples"));
    v("seed",
      seed,
      "seed of the generated sets; the models' seeds do not change the data",
      range(0, 2147483647));
    v("split",
      split,
      "what measurements read: held-out problems like those of training, or out-of-distribution "
      "ones",
      one_of({"test", "ood"}));
  }
};

struct Spec {
  std::string task = "sudoku";
  DataSettings data;
  ModelSettings model;
  TrainSettings train;
  DepthSettings depth;
  HaltSettings halt;
  std::vector<int> seeds = {0, 1, 2, 3};

  template <class V>
  void fields(V& v) {
    v("task", task, "what is learned; see `subvocal list tasks`");
    v("seeds",
      seeds,
      "one model of the pack each; a list or 0..9",
      range(0, 2147483647),
      unit("seeds"),
      items(1, 1024));
    v.group("data", data);
    v.group("model", model);
    v.group("train", train);
    v.group("depth", depth);
    v.group("halt", halt);
  }
  void check(Problems& p) const;

 private:
  /// Supervision that needs what the family does not have.
  void check_objective(const ZooEntry& family, Problems& p) const;
};

/// A rule that reads a halting score which the model does not have.
void check_halt(const HaltSettings& halt,
                const ZooEntry& family,
                const ModelSettings& model,
                Problems& p);

/// Reads a spec: the published form of the family that it names, with the source over it.
Spec load_spec(const ConfigSource& source);

/// What a spec stands for, made: the task, its sets and (on demand) the model. Data sets are made
/// when first asked for.
class Workbench {
 public:
  explicit Workbench(const Spec& spec);

  const Spec& spec() const { return spec_; }
  std::shared_ptr<const Task> task() const { return task_; }
  const Dataset& train_set();
  const Dataset& test_set();
  /// A fresh model of the spec, untrained. `seeds` other than the spec's serve controls.
  std::unique_ptr<Reasoner> make_model(DType dtype = DType::f32, Device* device = nullptr) const;
  /// The same model made for another task of the same symbols.
  std::unique_ptr<Reasoner> make_model(const TaskSpec& task, DType dtype, Device* device) const;
  std::vector<uint64_t> seeds() const { return {spec_.seeds.begin(), spec_.seeds.end()}; }
  Depth train_depth() const { return Depth::parse(spec_.depth.train); }

 private:
  Spec spec_;
  std::shared_ptr<const Task> task_;
  std::unique_ptr<Dataset> train_;
  std::unique_ptr<Dataset> test_;
};

}  // namespace sv
