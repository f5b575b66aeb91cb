// Training as a run: metrics, checkpoints, resume, interruption. The loop itself is the Trainer's.
#pragma once
#include <string>
#include <vector>

#include "core/progress.h"
#include "experiments/run_folder.h"
#include "experiments/spec.h"
#include "models/train/trainer.h"

namespace sv {

struct TrainOutcome {
  std::unique_ptr<Reasoner>
      model;  // with the weights that were saved (the average, if there is one)
  std::vector<Frozen> frozen;
  int64_t first_step = 0;  // > 0: went on from a checkpoint
  double seconds = 0;      // of this process
};

/// Trains the pack of `bench` in `run`, going on from its newest checkpoint if there is one. Writes
/// metrics.jsonl (one line per seed every train.log_every steps), checkpoints, and
/// model.safetensors at the end. A stop signal saves a checkpoint and throws with
/// Exit::interrupted.
/// On `device`, or on the CPU where that is null; checkpoints go from one to the other.
TrainOutcome train_run(Workbench& bench,
                       RunFolder& run,
                       int threads,
                       ProgressOutput progress,
                       Device* device = nullptr);

/// The error of a run that ended with frozen models (Exit::failed), naming each.
[[noreturn]] void fail_frozen(const std::vector<Frozen>& frozen, const std::string& run_folder);

/// The settings a run folder was made with.
Spec load_run_spec(const std::string& run_folder);

/// The model of a finished run with its weights.
std::unique_ptr<Reasoner> load_run_model(const Workbench& bench,
                                         const std::string& run_folder,
                                         Device* device = nullptr);

}  // namespace sv
