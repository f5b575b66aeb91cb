// How the state moves: residual, turning angle, hold rate, settled against correct, and drawn
// trajectories.
#include <fmt/format.h>

#include "experiments/findings.h"
#include "interp/dynamics/trajectory.h"

namespace sv {

using nlohmann::json;

namespace {

json trajectories_json(const Measured& run, const DynamicsResult& d) {
  json out = json::array();
  for (const Path& p : d.paths) {
    json points = json::array();
    for (const auto& xy : p.points) {
      points.push_back({xy[0], xy[1]});
    }
    const auto m = static_cast<size_t>(p.model);
    out.push_back({{"id", p.index},
                   {"seed", run.bench.spec().seeds[m]},
                   {"label", p.solved ? "solved" : "not solved"},
                   {"pc", points},
                   {"explained", json_of(d.explained[m])}});
  }
  return out;
}

void print_groups(const Measured& run, const DynamicsResult& d, const DynamicsResult& null) {
  for (const Group& g : groups_of(run.bench.spec())) {
    const std::vector<double> residual = column_means(rows_of(d.residual, g.models));
    const std::vector<double> turn = column_means(rows_of(d.turn, g.models));
    const std::vector<double> hold = column_means(rows_of(d.hold, g.models));
    const std::vector<double> table = column_means(rows_of(d.settled_table, g.models));
    fmt::print("{} (seeds {}):\n", g.name, g.seeds.size());
    fmt::print("{:>8}{:>12}{:>14}{:>12}{:>22}\n",
               "update",
               "residual",
               "turn (deg)",
               "hold %",
               "untrained residual");
    const std::vector<double> untrained = column_means(null.residual);
    for (size_t u = 0; u < d.updates.size(); u += std::max<size_t>(1, u / 2)) {
      fmt::print("{:>8}{:>12.4f}{:>14.1f}{:>12.1f}{:>22.4f}\n",
                 d.updates[u],
                 residual[u],
                 turn[u] * 57.29577951308232,
                 100 * hold[u],
                 untrained[u]);
    }
    fmt::print(
        "  settled and solved {:.1f} %, settled and wrong {:.1f} %, moving and solved {:.1f} %, "
        "moving and wrong {:.1f} %\n",
        100 * table[0],
        100 * table[1],
        100 * table[2],
        100 * table[3]);
  }
}

}  // namespace

void measure_dynamics(Measured& run, int examples, int trajectories, int depth) {
  const Dataset& data = run.bench.test_set();
  DynamicsOptions o;
  o.updates = depth * run.model->schedule().period();
  o.items = std::min<int64_t>(examples, data.size());
  o.trajectories = trajectories;
  o.run = run.run_options();
  o.trained = run.provenance();
  const DynamicsResult d = dynamics(*run.model, data, o);
  const auto control = run.untrained();
  DynamicsOptions null_options = o;
  null_options.trajectories = 0;
  const DynamicsResult null = dynamics(*control, data, null_options);
  fmt::print("dynamics of {} held-out examples over {} updates{}\n",
             o.items,
             o.updates,
             d.evidence.exploratory ? ", exploratory" : "");
  print_groups(run, d, null);
  save_part(run, "dynamics.trajectory", trajectories_json(run, d));
  json residual = {{"depths", d.updates}, {"groups", json::array()}};
  for (const Group& g : groups_of(run.bench.spec())) {
    residual["groups"].push_back({{"name", g.name},
                                  {"seeds", g.seeds},
                                  {"residual", json_of(rows_of(d.residual, g.models))}});
  }
  residual["groups"].push_back({{"name", "untrained"},
                                {"seeds", run.bench.spec().seeds},
                                {"residual", json_of(null.residual)}});
  save_part(run, "dynamics.residual", std::move(residual));
  H5Writer file = results_file(run, "dynamics");
  put_axis(file, "model", run.bench.spec().seeds, "seed of the model");
  put_axis(file, "update", d.updates, "update r");
  put_grid(file,
           "residual",
           {"model", "update"},
           d.residual,
           "relative change of the state, mean over items");
  put_grid(file, "turn", {"model", "update"}, d.turn, "angle between consecutive steps, radians");
  put_grid(file, "hold", {"model", "update"}, d.hold, "P(solved after the next update | solved)");
  put_grid(file,
           "untrained_residual",
           {"model", "update"},
           null.residual,
           "the same for untrained models");
  file.publish(run.folder + "/dynamics.h5");
}

}  // namespace sv
