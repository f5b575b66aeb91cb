#include "experiments/train_run.h"

#include <chrono>
#include <cmath>
#include <filesystem>

#include <fmt/format.h>

#include "data/io/publish.h"
#include "experiments/config.h"
#include "experiments/metrics.h"
#include "experiments/signals.h"
#include "kernels/memory/device.h"
#include "models/train/checkpoint.h"

namespace sv {

namespace {

/// Label of a model in metrics and findings: controls of the pack are groups of their own.
std::string group_of(const Spec& spec, uint64_t seed) {
  for (const int s : spec.model.without_injection) {
    if (static_cast<uint64_t>(s) == seed) {
      return "no injection";
    }
  }
  return spec.model.name;
}

void append_step(Metrics& metrics, const Spec& spec, const Trainer& trainer, int64_t made) {
  const StepStats& stats = trainer.stats();
  for (size_t m = 0; m < spec.seeds.size(); ++m) {
    const bool frozen =
        std::any_of(trainer.frozen().begin(), trainer.frozen().end(), [&](const Frozen& f) {
          return f.model == static_cast<int>(m);
        });
    if (frozen) {
      continue;
    }
    const auto seed = static_cast<uint64_t>(spec.seeds[m]);
    metrics.append("train",
                   {{"step", made},
                    {"seed", seed},
                    {"label", group_of(spec, seed)},
                    {"loss", stats.loss[m]},
                    {"accuracy", stats.accuracy[m]},
                    {"exact", stats.exact[m]},
                    {"grad_norm", stats.grad_norm[m]}});
  }
}

std::string progress_note(const Trainer& trainer) {
  const StepStats& stats = trainer.stats();
  double loss = 0;
  double accuracy = 0;
  double live = 0;
  for (size_t m = 0; m < stats.loss.size(); ++m) {
    if (std::isfinite(stats.loss[m]) && std::isfinite(stats.grad_norm[m])) {
      loss += stats.loss[m];
      accuracy += stats.accuracy[m];
      live += 1;
    }
  }
  loss /= std::max(live, 1.0);
  accuracy /= std::max(live, 1.0);
  return fmt::format("loss {:.3f}, accuracy {:.3f}", loss, accuracy);
}

}  // namespace

void fail_frozen(const std::vector<Frozen>& frozen, const std::string& run_folder) {
  std::string text =
      fmt::format("{} of the models stopped being finite in {}:", frozen.size(), run_folder);
  for (const Frozen& f : frozen) {
    text += fmt::format("\n  seed {} at step {}: {}", f.seed, f.step, f.what);
  }
  throw Error(text + "\ntheir weights are those before that step; the other models are complete",
              Exit::failed);
}

TrainOutcome train_run(
    Workbench& bench, RunFolder& run, int threads, ProgressOutput output, Device* device) {
  const Spec& spec = bench.spec();
  TrainOutcome out;
  out.model = bench.make_model(DType::f32, device);
  Trainer trainer(*out.model, bench.train_set(), spec.train, bench.train_depth(), threads);
  remove_stale_checkpoints(run.path());
  if (const auto path = newest_checkpoint(run.path())) {
    out.first_step = load_checkpoint(*path, trainer, run.spec_digest()).step;
  }
  Metrics metrics(run.file("metrics.jsonl"), out.first_step > 0 ? out.first_step : -1);
  const auto save = [&](int64_t made) {
    metrics.sync();
    save_checkpoint(run.path(), trainer, {made, run.spec_digest(), trainer.frozen()});
    if (device != nullptr) {
      run.record_start("products", device->products());
    }
  };
  const auto began = std::chrono::steady_clock::now();
  Progress progress("train", spec.train.steps, "steps", output, out.first_step);
  for (int64_t step = out.first_step; step < spec.train.steps; ++step) {
    for (const Frozen& f : trainer.step(step)) {
      metrics.append("frozen", {{"step", f.step + 1}, {"seed", f.seed}, {"what", f.what}});
      progress.hide();
      fmt::print(stderr, "seed {} frozen at step {}: {}\n", f.seed, f.step, f.what);
    }
    const int64_t made = step + 1;
    const bool last = made == spec.train.steps || trainer.all_frozen();
    if (made % spec.train.log_every == 0 || last) {
      append_step(metrics, spec, trainer, made);
    }
    progress.update(made, progress_note(trainer));
    if (stop_requested() && !last) {
      save(made);
      run.finish("interrupted");
      fail_interrupted(run.path());
    }
    if (last || (spec.train.checkpoint_every > 0 && made % spec.train.checkpoint_every == 0)) {
      save(made);
    }
    if (last) {
      break;
    }
  }
  progress.done();
  trainer.optimiser().swap_average();
  save_weights(run.file("model.safetensors"), out.model->params(), run.spec_digest());
  out.frozen = trainer.frozen();
  out.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  return out;
}

Spec load_run_spec(const std::string& run_folder) {
  const std::string path = run_folder + "/spec.toml";
  if (!std::filesystem::exists(path)) {
    fail("no run in '", run_folder, "': ", path, " is missing");
  }
  read_published(path);  // throws where the file is not the one the run was made with
  Spec spec;
  load_settings(spec, {path, {}});
  return spec;
}

std::unique_ptr<Reasoner> load_run_model(const Workbench& bench,
                                         const std::string& run_folder,
                                         Device* device) {
  auto model = bench.make_model(DType::f32, device);
  load_weights(run_folder + "/model.safetensors", model->params());
  return model;
}

}  // namespace sv
