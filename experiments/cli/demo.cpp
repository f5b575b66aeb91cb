// demo: 6x6 Sudoku (or 4x4 with --quick) from training to report. Settings and expected results:
// data/README.md and README.md; the control without injection is the last model of the same pack.
#include <fmt/format.h>
#include <chrono>
#include <nlohmann/json.hpp>

#include "experiments/cli/commands.h"
#include "experiments/config.h"
#include "experiments/findings.h"
#include "experiments/report/report.h"
#include "experiments/signals.h"
#include "experiments/train_run.h"
#include "interp/stats.h"
#include "kernels/cpu/isa.h"

namespace sv::cli {

namespace {

constexpr int kControlSeed = 100;

Spec demo_spec(const Arguments& a) {
  Spec spec;
  spec.task = "sudoku";
  spec.seeds = {0, 1, 2, 3, kControlSeed};
  spec.model.without_injection = {kControlSeed};
  spec.data.options.size = a.quick ? 4 : 6;
  spec.data.options.min_clues = a.quick ? 0 : 13;
  spec.model.width = a.full ? 64 : 48;
  spec.model.hidden = a.full ? 160 : 128;
  spec.train.steps = 950;
  spec.depth.train = "2..4";
  spec.depth.test = {1, 2, 3, 4, 5, 6, 8, 12, 16, 24, 32};
  if (a.quick) {
    spec.data.train_size = 4000;
    spec.data.test_size = 512;
    spec.train.steps = 350;
    spec.train.warmup = 50;
    spec.depth.train = "1..6";
    spec.depth.test = {1, 2, 3, 4, 5, 6, 9, 12, 18, 24, 48};
  }
  const std::vector<int> wanted = {Depth::parse(spec.depth.train).max,
                                   4 * Depth::parse(spec.depth.train).max};
  load_settings(spec, {"", a.overrides});
  for (const int depth : wanted) {
    const auto& test = spec.depth.test;
    if (std::find(test.begin(), test.end(), depth) == test.end()) {
      fail("the demo's closing lines need depth.test to hold ", depth);
    }
  }
  return spec;
}

class Stopwatch {
 public:
  double lap() {
    const auto now = std::chrono::steady_clock::now();
    const double s = std::chrono::duration<double>(now - last_).count();
    last_ = now;
    return s;
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

std::vector<double> at_depth(const DepthHeadline& h, int depth) {
  const auto it = std::find(h.depths.begin(), h.depths.end(), depth);
  SV_CHECK(it != h.depths.end(), "depth.test must hold ", depth);
  std::vector<double> out;
  for (const auto& row : h.exact) {
    out.push_back(row[static_cast<size_t>(it - h.depths.begin())]);
  }
  return out;
}

std::string percent_list(const std::vector<double>& values) {
  std::string out;
  for (const double v : values) {
    out += fmt::format("{}{:.1f}", out.empty() ? "" : ", ", 100 * v);
  }
  return out + " %";
}

/// What was learned, in one sentence with its interval.
std::string learned_line(const Spec& spec,
                         const std::vector<DepthHeadline>& groups,
                         int train_max,
                         int far) {
  const std::vector<double> near_exact = at_depth(groups[0], train_max);
  const std::vector<double> far_exact = at_depth(groups[0], far);
  const Interval interval = bootstrap_interval(far_exact);
  return fmt::format(
      "{0}x{0} Sudoku, {1} unseen puzzles, {2} training puzzles: {3:.1f} % solved at depth {4} "
      "(trained at {5}), {6:.1f} % "
      "[{7:.1f}, {8:.1f}] at depth {9} (95 % over {10} seeds, exploratory; seeds {11}); the "
      "control without input "
      "injection falls to {12}",
      spec.data.options.size,
      spec.data.test_size,
      spec.data.train_size,
      100 * mean_of(near_exact),
      train_max,
      spec.depth.train,
      100 * mean_of(far_exact),
      100 * interval.low,
      100 * interval.high,
      far,
      far_exact.size(),
      percent_list(far_exact),
      groups.size() > 1 ? percent_list(at_depth(groups[1], far)) : "nothing: it was left out");
}

}  // namespace

int demo(const Arguments& a) {
  const Spec spec = demo_spec(a);
  const char* name = a.quick ? "runs/demo-quick" : a.full ? "runs/demo-full" : "runs/demo";
  const std::string folder = a.out.empty() ? name : a.out;
  Stopwatch watch;
  Workbench bench(spec);
  RunStart start;
  start.command = a.command;
  start.argv = a.argv;
  start.device = a.device;
  start.isa = std::string(cpu::isa_name(cpu::isa()));
  start.threads = thread_count(a);
  start.seeds = bench.seeds();
  bench.train_set();
  const double data_seconds = watch.lap();
  double train_seconds = 0;
  {
    const StopSignals signals;
    RunFolder run = RunFolder::create(folder, start, settings_toml(spec), settings_digest(spec));
    const TrainOutcome out =
        train_run(bench,
                  run,
                  thread_count(a),
                  a.quiet ? ProgressOutput::quiet() : ProgressOutput::standard_error());
    train_seconds = watch.lap();
    run.finish(out.frozen.empty() ? "done" : "failed");
    if (!out.frozen.empty()) {
      fail_frozen(out.frozen, folder);
    }
  }
  Measured run(folder, thread_count(a));
  const int train_max = run.train_max();
  const int far = 4 * train_max;
  const std::vector<DepthHeadline> depth = measure_depth(run, {});
  measure_lens(run, 8, far);
  ProbeMeasure probe;
  probe.target = "mark";
  probe.examples = a.quick ? 256 : 512;
  probe.depth = 2 * train_max;
  const std::vector<std::string> probe_lines = measure_probe(run, probe);
  PatchMeasure patching;
  patching.pairs = a.quick ? 16 : 32;
  patching.depth = 2 * train_max;
  const std::vector<std::string> patch_lines = measure_patch(run, patching);
  measure_dynamics(run, 128, 8, 2 * far);
  const std::string learned = learned_line(spec, depth, train_max, far);
  nlohmann::json summary = {{{"text", learned}}};
  for (const auto& lines : {probe_lines, patch_lines}) {
    for (const std::string& line : lines) {
      summary.push_back({{"text", line}});
      fmt::print("{}\n", line);
    }
  }
  const double measure_seconds = watch.lap();
  const nlohmann::json timing = {{{"name", "data"}, {"seconds", data_seconds}},
                                 {{"name", "train"}, {"seconds", train_seconds}},
                                 {{"name", "measure"}, {"seconds", measure_seconds}}};
  save_summary(
      folder,
      fmt::format("{0}x{0} Sudoku, trained at depth {1}", spec.data.options.size, spec.depth.train),
      summary,
      timing);
  render_report(folder, folder + "/report.html");
  fmt::print("seconds: data {:.1f}, train {:.1f}, measure and report {:.1f}\n",
             data_seconds,
             train_seconds,
             measure_seconds + watch.lap());
  fmt::print("learned: {}\n", learned);
  fmt::print("report:  {}/report.html\n", folder);
  fmt::print(
      "next:    build/subvocal eval {} depth.test=1..64, or subvocal train task=linked_list "
      "--seeds 4\n",
      folder);
  return 0;
}

}  // namespace sv::cli
