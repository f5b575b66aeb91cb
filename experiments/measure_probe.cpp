// Linear probe of a named truth at every iteration, with its controls beside it: shuffled labels,
// control task, an untrained pack, the encoded input alone, the majority class.
#include <fmt/format.h>

#include "experiments/findings.h"
#include "interp/probe/linear_probe.h"

namespace sv {

using nlohmann::json;

namespace {

/// The group the user named, or the first group (else the first truth) of the task.
std::string default_target(const TaskSpec& task, const std::string& asked) {
  if (!asked.empty()) {
    return asked;
  }
  SV_CHECK(!task.truths.empty(), "task ", task.name, " names no truth to probe");
  return task.truths.front().group.empty() ? task.truths.front().name : task.truths.front().group;
}

json probe_json(const Group& g, const ProbeResult& p) {
  const Grid accuracy = rows_of(p.accuracy, g.models);
  json value = {{"truth", p.truth},
                {"step", p.step},
                {"site", p.site},
                {"depths", p.updates},
                {"seeds", g.seeds},
                {"accuracy", json_of(accuracy)},
                {"interval", json_of(column_intervals(accuracy))},
                {"control_shuffled", json_of(rows_of(p.shuffled, g.models))},
                {"selectivity", json_of(rows_of(p.above_shuffled, g.models))},
                {"majority", json_of(p.majority)},
                {"items", p.evidence.items},
                {"train_items", p.probe_examples}};
  if (!p.untrained.empty()) {
    value["control_untrained"] = json_of(rows_of(p.untrained, g.models));
  }
  value["by_position"] = {
      {"positions", p.by_position.empty() ? 0 : static_cast<int>(p.by_position.front().size())},
      {"accuracy", json_of(p.by_position)},
      {"selectivity", json_of(p.by_position_above_shuffled)}};
  return value;
}

/// Where the mean over seeds is highest.
std::pair<size_t, double> peak(const Grid& rows) {
  const std::vector<double> mean = column_means(rows);
  const auto it = std::max_element(mean.begin(), mean.end());
  return {static_cast<size_t>(it - mean.begin()), *it};
}

void print_probe(const Group& g, const ProbeResult& p) {
  fmt::print(
      "{} step {} at {} ({} examples fitted, {} scored, majority {:.1f} %, encoded input {:.1f} "
      "%){}\n",
      p.truth,
      p.step,
      p.site,
      p.probe_examples,
      p.evidence.items,
      100 * p.majority,
      100 * mean_of(p.input_only),
      p.evidence.exploratory ? ", exploratory" : "");
  const auto line = [&](const char* name, const Grid& grid) {
    fmt::print("  {:<22}", name);
    for (const double v : column_means(grid)) {
      fmt::print("{:>7}", number_text(100 * v, 1));
    }
    fmt::print("\n");
  };
  fmt::print("  {:<22}", "after update");
  for (const int r : p.updates) {
    fmt::print("{:>7}", r);
  }
  fmt::print("\n");
  const Grid accuracy = rows_of(p.accuracy, g.models);
  line("accuracy %", accuracy);
  fmt::print("  {:<22}", "95 % over seeds, ± %");
  for (const Interval& i : column_intervals(accuracy)) {
    fmt::print("{:>7}", number_text(50 * (i.high - i.low), 1));
  }
  fmt::print("\n");
  line("shuffled labels %", rows_of(p.shuffled, g.models));
  line("control task %", rows_of(p.control_task, g.models));
  line("above shuffled %", rows_of(p.above_shuffled, g.models));
  if (!p.untrained.empty()) {
    line("untrained model %", rows_of(p.untrained, g.models));
  }
}

void write_file(Measured& run, const std::vector<ProbeResult>& results) {
  H5Writer file = results_file(run, "probe");
  put_axis(file, "model", run.bench.spec().seeds, "seed of the model");
  put_axis(file, "update", results.front().updates, "update r whose state is read");
  for (const ProbeResult& p : results) {
    const std::string name = p.truth + "_" + std::to_string(p.step);
    put_grid(file, name + "_accuracy", {"model", "update"}, p.accuracy, p.help);
    put_grid(file,
             name + "_shuffled",
             {"model", "update"},
             p.shuffled,
             "labels permuted within position and step");
    put_grid(file,
             name + "_above_shuffled",
             {"model", "update"},
             p.above_shuffled,
             "accuracy minus that with shuffled labels");
  }
  file.publish(run.folder + "/probe.h5");
}

}  // namespace

std::vector<std::string> measure_probe(Measured& run, const ProbeMeasure& what) {
  const Dataset& data = run.bench.test_set();
  const std::string target = default_target(data.task().spec(), what.target);
  const auto control = run.untrained();
  const Group main = groups_of(run.bench.spec()).front();
  ProbeOptions o;
  o.site = what.site;
  o.truths = {target};
  for (int r = 1; r <= what.depth * run.model->schedule().period(); ++r) {
    o.updates.push_back(r);
  }
  const int64_t examples = std::min<int64_t>(what.examples, data.size());
  o.train_items = static_cast<int64_t>(static_cast<double>(examples) * what.train_share);
  o.test_items = examples - o.train_items;
  o.strength = what.ridge;
  o.untrained = control.get();
  o.pooled = main.models;
  o.run = run.run_options();
  o.trained = run.provenance();
  const std::vector<ProbeResult> results = linear_probe(*run.model, data, o);
  std::vector<std::string> lines;
  std::string peaks;
  for (const ProbeResult& p : results) {
    print_probe(main, p);
    save_entry(run, "probe", {"truth", "step", "site"}, probe_json(main, p));
    const auto [at, value] = peak(rows_of(p.accuracy, main.models));
    const double shuffled = column_means(rows_of(p.shuffled, main.models))[at];
    const std::string untrained =
        p.untrained.empty()
            ? ""
            : ", untrained model " +
                  number_text(100 * column_means(rows_of(p.untrained, main.models))[at], 1, " %");
    peaks += fmt::format("{}step {} after update {} ({:.1f} %, shuffled labels {:.1f} %{})",
                         peaks.empty() ? "" : ", ",
                         p.step,
                         p.updates[at],
                         100 * value,
                         100 * shuffled,
                         untrained);
  }
  write_file(run, results);
  lines.push_back(fmt::format("'{}', never supervised, is read best: {}", target, peaks));
  return lines;
}

}  // namespace sv
