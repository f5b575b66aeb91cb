// The model's own readout at every iteration and position: averages for the table, a few examples
// in full for the map.
#include <fmt/format.h>

#include <numeric>

#include "experiments/findings.h"
#include "interp/lens/readout_lens.h"

namespace sv {

using nlohmann::json;

namespace {

const Channel* channel(const TaskSpec& task, const std::string& name) {
  for (const Channel& c : task.coordinates) {
    if (c.name == name) {
      return &c;
    }
  }
  return nullptr;
}

/// Rows and columns of a board task, and of its boxes; null where the task is no board.
void add_board(const TaskSpec& task, json& value) {
  const Channel* row = channel(task, "row");
  const Channel* column = channel(task, "column");
  value["grid"] = row != nullptr && column != nullptr ? json{row->size, column->size} : json();
  const Channel* box = channel(task, "box");
  value["box"] = json();
  if (row != nullptr && column != nullptr && box != nullptr) {
    int rows = 0;
    int columns = 0;
    for (size_t t = 0; t < box->ids.size(); ++t) {
      if (box->ids[t] == 0) {
        rows = std::max(rows, row->ids[t] + 1);
        columns = std::max(columns, column->ids[t] + 1);
      }
    }
    value["box"] = {rows, columns};
  }
}

json example_json(const Task& task, const LensExample& l) {
  return {{"id", l.index},
          {"seed", l.seed},
          {"note", fmt::format("difficulty {} ({})", l.difficulty, task.spec().difficulty)},
          {"tokens", l.tokens},
          {"targets", l.targets},
          {"readout", l.readout},
          {"prob", json_of(l.prob)},
          {"correct", json_of(l.correct)}};
}

/// The hardest of the first `items` examples, the earlier first among equals.
std::vector<int64_t> hardest(const Dataset& data, int64_t items, int count) {
  std::vector<int64_t> index(static_cast<size_t>(items));
  std::iota(index.begin(), index.end(), int64_t{0});
  std::stable_sort(index.begin(), index.end(), [&](int64_t a, int64_t b) {
    return data[a].difficulty > data[b].difficulty;
  });
  index.resize(std::min(index.size(), static_cast<size_t>(count)));
  return index;
}

void print_lens(const char* name, const Grid& right, const std::vector<int>& updates) {
  fmt::print("  {:<18}", name);
  const std::vector<double> mean = column_means(right);
  for (size_t u = 0; u < updates.size(); ++u) {
    fmt::print("{:>7}", number_text(100 * mean[u], 1));
  }
  fmt::print("\n");
}

}  // namespace

void measure_lens(Measured& run, int examples, int depth) {
  const Dataset& data = run.bench.test_set();
  const Spec& spec = run.bench.spec();
  const Group main = groups_of(spec).front();
  const auto control = run.untrained();
  LensOptions o;
  for (int d = 1; d <= depth; ++d) {
    o.depths.push_back(d);
  }
  o.items = std::min<int64_t>(data.size(), 256);
  o.examples = hardest(data, o.items, examples);
  o.example_models = {main.models.front()};
  o.untrained = control.get();
  o.pooled = main.models;
  o.run = run.run_options();
  o.trained = run.provenance();
  const LensResult lens = readout_lens(*run.model, data, o);
  fmt::print("readout lens on {} held-out examples, {} seeds{}\n  {:<18}",
             o.items,
             main.seeds.size(),
             lens.evidence.exploratory ? ", exploratory" : "",
             "after update");
  for (const int r : lens.updates) {
    fmt::print("{:>7}", r);
  }
  fmt::print("\n");
  print_lens("right %", rows_of(lens.means.accuracy, main.models), lens.updates);
  print_lens("p(target) %", rows_of(lens.means.target_prob, main.models), lens.updates);
  print_lens("untrained right %", rows_of(lens.untrained->accuracy, main.models), lens.updates);
  json value = {{"depths", lens.updates},
                {"positions", data.task().spec().positions},
                {"examples", json::array()}};
  add_board(data.task().spec(), value);
  for (const LensExample& l : lens.examples) {
    value["examples"].push_back(example_json(data.task(), l));
  }
  save_part(run, "lens", std::move(value));
  H5Writer file = results_file(run, "lens");
  put_axis(file, "model", spec.seeds, "seed of the model");
  put_axis(file, "update", lens.updates, "update r after which the model is read out");
  put_grid(file,
           "right",
           {"model", "update"},
           lens.means.accuracy,
           "share of positions whose most probable answer is right");
  put_grid(file,
           "probability",
           {"model", "update"},
           lens.means.target_prob,
           "mean probability of the target");
  put_grid(file, "rank", {"model", "update"}, lens.means.target_rank, "mean rank of the target");
  put_grid(file,
           "to_final",
           {"model", "update"},
           lens.means.kl_to_final,
           "KL of the last readout from this one, nats");
  put_grid(file,
           "untrained_right",
           {"model", "update"},
           lens.untrained->accuracy,
           "the same for untrained models");
  file.publish(run.folder + "/lens.h5");
}

}  // namespace sv
