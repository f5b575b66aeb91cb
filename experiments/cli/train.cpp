// train and resume.
#include <fmt/format.h>

#include "experiments/cli/commands.h"
#include "experiments/config.h"
#include "experiments/signals.h"
#include "experiments/train_run.h"
#include "kernels/cpu/isa.h"
#include "models/train/watchdog.h"

namespace sv::cli {

namespace {

RunStart run_start(const Arguments& a, const Spec& spec) {
  RunStart start;
  start.command = a.command;
  start.argv = a.argv;
  start.device = a.device;
  start.isa = std::string(cpu::isa_name(cpu::isa()));
  start.threads = thread_count(a);
  start.seeds.assign(spec.seeds.begin(), spec.seeds.end());
  return start;
}

ProgressOutput progress_of(const Arguments& a) {
  return a.quiet ? ProgressOutput::quiet() : ProgressOutput::standard_error();
}

int run_and_tell(Workbench& bench, RunFolder& run, const Arguments& a) {
  const StopSignals signals;
  if (!run.note().empty()) {
    fmt::print(stderr, "{}\n", run.note());
  }
  const TrainOutcome out = train_run(bench, run, thread_count(a), progress_of(a), a.opened);
  run.finish(out.frozen.empty() ? "done" : "failed");
  const Spec& spec = bench.spec();
  fmt::print(
      "{}: {} seeds of {} ({} parameters each), {} steps of {}, {} training examples, depth {}, "
      "{:.1f} s{}\n",
      run.path(),
      spec.seeds.size(),
      spec.model.name,
      out.model->params().count(),
      spec.train.steps,
      spec.train.batch,
      bench.train_set().size(),
      spec.depth.train,
      out.seconds,
      out.first_step > 0 ? fmt::format(" from step {}", out.first_step) : "");
  if (!out.frozen.empty()) {
    fail_frozen(out.frozen, run.path());
  }
  fmt::print("next: subvocal eval {}\n", run.path());
  return 0;
}

}  // namespace

int train(const Arguments& a) {
  Spec spec = load_spec({a.target, a.overrides});
  if (a.seeds > 0) {
    for (const std::string& word : a.overrides) {
      if (word.starts_with("seeds=")) {
        fail("the seeds are given twice: --seeds ", a.seeds, " and ", word);
      }
    }
    spec.seeds.clear();
    for (int s = 0; s < a.seeds; ++s) {
      spec.seeds.push_back(s);
    }
  }
  Workbench bench(spec);
  // Everything that can be refused is, before a file is made.
  const auto model = bench.make_model();
  const int most = model->schedule().max_updates, period = model->schedule().period();
  SV_CHECK(most == 0 || bench.train_depth().max * period <= most,
           "depth.train = ",
           spec.depth.train,
           ": this ",
           spec.model.name,
           " has ",
           most / period,
           " untied updates (model.depth)");
  bench.train_set();
  precision_of(spec.train, a.opened);
  if (!spec.train.plant_nan.empty()) {
    plant_forward(spec.train.plant_nan, *model, -1);
  }
  const std::string path =
      a.out.empty() ? run_path("runs", spec.task + "-" + spec.model.name) : a.out;
  RunFolder run =
      RunFolder::create(path, run_start(a, spec), settings_toml(spec), settings_digest(spec));
  return run_and_tell(bench, run, a);
}

int resume(const Arguments& a) {
  Spec spec = load_run_spec(a.target);
  Workbench bench(spec);
  RunFolder run = RunFolder::open(a.target, run_start(a, spec));
  return run_and_tell(bench, run, a);
}

}  // namespace sv::cli
