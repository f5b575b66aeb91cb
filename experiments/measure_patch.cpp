// Activation patching between an example and its counterfactual neighbour: at one update, over a
// window, or clamped to the end, with the identity, same-answer, random and untrained controls
// beside it.
#include <fmt/format.h>

#include <cmath>

#include "experiments/findings.h"
#include "interp/patching/patch.h"

namespace sv {

using nlohmann::json;

namespace {

When::Kind kind_of(const std::string& mode) {
  return mode == "at" ? When::Kind::at : mode == "window" ? When::Kind::window : When::Kind::clamp;
}

/// Mean of each row of a (U, sets) grid over the sets that have a value.
std::vector<double> row_means(const Grid& grid) {
  std::vector<double> out;
  for (const auto& row : grid) {
    out.push_back(mean_of(row));
  }
  return out;
}

/// A control speaks about the patched position alone: the first column of the relations.
json control_json(const PatchControl& c, size_t columns) {
  Grid grid = make_grid(c.effect.size(), columns, NAN);
  const std::vector<double> mean = row_means(c.effect);
  for (size_t u = 0; u < grid.size(); ++u) {
    grid[u][0] = mean[u];
  }
  return {{"name", c.name}, {"effect", json_of(grid)}};
}

json patch_json(const Group& g, const PatchResult& p, const std::string& mode) {
  json by_seed = json::array();
  for (const int m : g.models) {
    by_seed.push_back(json_of(p.by_relation_seed[static_cast<size_t>(m)]));
  }
  json value = {{"mode", mode},
                {"site", p.site},
                {"depths", p.updates},
                {"positions", p.relations},
                {"seeds", g.seeds},
                {"effect", json_of(p.by_relation)},
                {"by_seed", by_seed},
                {"items", p.evidence.items},
                {"metric",
                 fmt::format("share of answers that turn to the donor's, read after update {}",
                             p.last_update)}};
  for (const PatchControl& c : p.controls) {
    value["controls"].push_back(control_json(c, p.relations.size()));
  }
  return value;
}

void print_patch(const PatchResult& p, const std::string& mode) {
  fmt::print(
      "patch ({}) at {}: {} pairs, {} patched runs a seed, answer read after update {}; identity "
      "patch {}{}\n",
      mode,
      p.site,
      p.evidence.items,
      p.patches,
      p.last_update,
      p.identity_checked ? "changed no bit" : "not checked",
      p.evidence.exploratory ? ", exploratory" : "");
  fmt::print("  {:<52}", "share turned to donor's %");
  for (const int r : p.updates) {
    fmt::print("{:>7}", fmt::format("r={}", r));
  }
  fmt::print("\n");
  for (size_t c = 0; c < p.relations.size(); ++c) {
    fmt::print("  {:<52}", p.relations[c]);
    for (const auto& row : p.by_relation) {
      fmt::print("{:>7}", number_text(100 * row[c], 1));
    }
    fmt::print("\n");
  }
  for (const PatchControl& c : p.controls) {
    fmt::print("  {:<52}", "control: " + c.name);
    for (const double v : row_means(c.effect)) {
      fmt::print("{:>7}", number_text(100 * v, 1));
    }
    fmt::print("\n");
  }
}

/// The headline number of one mode, with the controls that answer the same question beside it.
std::string headline(const PatchResult& p, const std::string& mode, size_t start) {
  std::string controls;
  for (const PatchControl& c : p.controls) {
    if (c.name.starts_with("random donor") || c.name == "untrained model") {
      controls += fmt::format("{}{} {}",
                              controls.empty() ? "" : ", ",
                              c.name.substr(0, c.name.find(':')),
                              number_text(100 * row_means(c.effect)[start], 1, " %"));
    }
  }
  return fmt::format("{} {} ({}{})",
                     mode,
                     number_text(100 * p.by_relation[start][0], 1, " %"),
                     controls,
                     mode == "clamp" ? "; a clamped position keeps the donor's state, so this "
                                       "is so by construction"
                                     : "");
}

void write_file(Measured& run, const std::vector<std::pair<std::string, PatchResult>>& results) {
  H5Writer file = results_file(run, "patch");
  const PatchResult& first = results.front().second;
  put_axis(file, "update", first.updates, "update at which the patch starts");
  file.coordinate(
      "relation", std::span<const std::string>(first.relations), {"1", "where the answer stands"});
  for (const auto& [mode, p] : results) {
    put_grid(file,
             mode + "_donor_share",
             {"update", "relation"},
             p.by_relation,
             "share of answers that turn to the donor's, mean over seeds");
  }
  file.publish(run.folder + "/patch.h5");
}

}  // namespace

std::vector<std::string> measure_patch(Measured& run, const PatchMeasure& what) {
  const auto control = run.untrained();
  const Group main = groups_of(run.bench.spec()).front();
  PatchOptions o;
  o.site = what.site;
  o.window = what.window;
  o.pairs = what.pairs;
  o.depth = what.depth;
  const int last = what.depth * run.model->schedule().period();
  // Every update near the start, then ever fewer: early patches are where the modes differ.
  for (int r = 1; r <= last; r += std::max(1, r / 3)) {
    o.updates.push_back(r);
  }
  o.untrained = control.get();
  o.pooled = main.models;
  o.run = run.run_options();
  o.trained = run.provenance();
  std::vector<std::pair<std::string, PatchResult>> results;
  std::string sentence;
  for (const std::string& mode : what.modes) {
    o.when = kind_of(mode);
    PatchResult p = patch(*run.model, run.bench.test_set(), o);
    print_patch(p, mode);
    save_entry(run, "patch", {"mode", "site"}, patch_json(main, p, mode));
    const size_t middle = p.updates.size() / 2;
    sentence += fmt::format(
        "{}{}",
        sentence.empty()
            ? fmt::format(
                  "patching one position's state from update {} turns its answer to the donor's: ",
                  p.updates[middle])
            : ", ",
        headline(p, mode, middle));
    results.emplace_back(mode, std::move(p));
  }
  write_file(run, results);
  return {sentence + fmt::format(" ({} pairs, {} seeds)", what.pairs, main.seeds.size())};
}

}  // namespace sv
