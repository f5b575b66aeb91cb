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

json example_json(const Task& task, const Example& e, const LensExample& l, uint64_t seed) {
  json out = {{"id", l.index},
              {"seed", seed},
              {"note", fmt::format("difficulty {} ({})", e.difficulty, task.spec().difficulty)}};
  const auto positions = static_cast<size_t>(task.spec().positions);
  for (size_t t = 0; t < positions; ++t) {
    out["tokens"].push_back(task.token_text(e.tokens[t]));
    const int32_t target =
        e.targets[(static_cast<size_t>(task.spec().target_steps) - 1) * positions + t];
    out["targets"].push_back(target < 0 ? "" : task.answer_text(target));
  }
  for (size_t u = 0; u < l.answer.size(); ++u) {
    const size_t s = std::min(u, static_cast<size_t>(task.spec().target_steps) - 1);
    json readout = json::array();
    json correct = json::array();
    for (size_t t = 0; t < positions; ++t) {
      readout.push_back(task.answer_text(l.answer[u][t]));
      correct.push_back(e.targets[s * positions + t] == l.answer[u][t] ? 1 : 0);
    }
    out["readout"].push_back(std::move(readout));
    out["correct"].push_back(std::move(correct));
    out["prob"].push_back(json_of(l.probability[u]));
  }
  return out;
}

/// The hardest examples, the earlier first among equals.
std::vector<int64_t> hardest(const Dataset& data, int count) {
  std::vector<int64_t> index(static_cast<size_t>(data.size()));
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
    fmt::print("{:>7.1f}", 100 * mean[u]);
  }
  fmt::print("\n");
}

}  // namespace

void measure_lens(Measured& run, int examples, int depth) {
  const Dataset& data = run.bench.test_set();
  const Spec& spec = run.bench.spec();
  const Group main = groups_of(spec).front();
  LensOptions o;
  o.updates = depth * run.model->schedule().period();
  o.run = run.run_options();
  o.trained = run.provenance();
  const int64_t items = std::min<int64_t>(data.size(), 256);
  // The hardest among the examples that are read at all.
  std::vector<int64_t> shown = hardest(data, static_cast<int>(data.size()));
  std::erase_if(shown, [&](int64_t i) { return i >= items; });
  shown.resize(std::min(shown.size(), static_cast<size_t>(examples)));
  const LensResult lens = readout_lens(*run.model, data, items, shown, main.models.front(), o);
  const auto control = run.untrained();
  const LensResult null = readout_lens(*control, data, items, {}, 0, o);
  fmt::print("readout lens on {} held-out examples, {} seeds{}\n  {:<18}",
             items,
             main.seeds.size(),
             lens.evidence.exploratory ? ", exploratory" : "",
             "after update");
  for (const int r : lens.updates) {
    fmt::print("{:>7}", r);
  }
  fmt::print("\n");
  print_lens("right %", rows_of(lens.right, main.models), lens.updates);
  print_lens("p(target) %", rows_of(lens.probability, main.models), lens.updates);
  print_lens("untrained right %", null.right, lens.updates);
  json value = {{"depths", lens.updates},
                {"positions", data.task().spec().positions},
                {"examples", json::array()}};
  add_board(data.task().spec(), value);
  for (const LensExample& l : lens.examples) {
    value["examples"].push_back(example_json(data.task(), data[l.index], l, main.seeds.front()));
  }
  save_part(run, "lens", std::move(value));
  H5Writer file = results_file(run, "lens");
  put_axis(file, "model", spec.seeds, "seed of the model");
  put_axis(file, "update", lens.updates, "update r after which the model is read out");
  put_grid(file,
           "right",
           {"model", "update"},
           lens.right,
           "share of positions whose most probable answer is right");
  put_grid(
      file, "probability", {"model", "update"}, lens.probability, "mean probability of the target");
  put_grid(file, "rank", {"model", "update"}, lens.rank, "mean rank of the target");
  put_grid(file,
           "to_final",
           {"model", "update"},
           lens.to_final,
           "KL of the last readout from this one, nats");
  put_grid(
      file, "untrained_right", {"model", "update"}, null.right, "the same for untrained models");
  file.publish(run.folder + "/lens.h5");
}

}  // namespace sv
