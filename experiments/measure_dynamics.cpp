// How the state moves: residual, turning, hold rates, settled against correct, and drawn
// trajectories.
#include <fmt/format.h>

#include <cmath>
#include <numeric>

#include "experiments/findings.h"
#include "interp/dynamics/convergence.h"

namespace sv {

using nlohmann::json;

namespace {

json trajectories_json(const std::vector<Trajectory2d>& paths) {
  json out = json::array();
  for (const Trajectory2d& p : paths) {
    json points = json::array();
    for (const auto& xy : p.point) {
      points.push_back({xy[0], xy[1]});
    }
    out.push_back({{"id", p.index},
                   {"seed", p.seed},
                   {"label", p.solved ? "solved" : "not solved"},
                   {"pc", points},
                   {"depths", p.updates},
                   {"explained", p.explained}});
  }
  return out;
}

double share(int64_t part, int64_t all) {
  return all > 0 ? 100.0 * static_cast<double>(part) / static_cast<double>(all) : 0;
}

void print_group(const Group& g,
                 const ConvergenceResult& d,
                 const HoldRates& holds,
                 const SettledTable& table) {
  const std::vector<double> residual = column_means(rows_of(d.trained.residual, g.models));
  const std::vector<double> turn = column_means(rows_of(d.trained.turn, g.models));
  const std::vector<double> hold = column_means(rows_of(holds.hold, g.models));
  const std::vector<double> untrained = column_means(rows_of(d.untrained->residual, g.models));
  fmt::print("{} ({} seed{}):\n{:>8}{:>12}{:>14}{:>22}{:>22}\n",
             g.name,
             g.seeds.size(),
             g.seeds.size() == 1 ? "" : "s",
             "update",
             "residual",
             "cos(turn)",
             "stays solved %",
             "untrained residual");
  for (size_t u = 0; u < d.updates.size(); u += std::max<size_t>(1, u / 2)) {
    fmt::print("{:>8}{:>12}{:>14}{:>22}{:>22}\n",
               d.updates[u],
               number_text(residual[u], 4),
               number_text(turn[u], 2),
               number_text(u < hold.size() ? 100 * hold[u] : NAN, 1),
               number_text(untrained[u], 4));
  }
  int64_t cells[4] = {0, 0, 0, 0};
  for (const int m : g.models) {
    const auto i = static_cast<size_t>(m);
    cells[0] += table.settled_right[i];
    cells[1] += table.settled_wrong[i];
    cells[2] += table.moving_right[i];
    cells[3] += table.moving_wrong[i];
  }
  const int64_t all = cells[0] + cells[1] + cells[2] + cells[3];
  fmt::print(
      "  settled (residual < {}) and solved {:.1f} %, settled and wrong {:.1f} %, moving and "
      "solved {:.1f} %, moving and wrong {:.1f} %\n",
      table.threshold,
      share(cells[0], all),
      share(cells[1], all),
      share(cells[2], all),
      share(cells[3], all));
}

void save(Measured& run, const ConvergenceResult& d) {
  json residual = {{"depths", d.updates}, {"groups", json::array()}};
  for (const Group& g : groups_of(run.bench.spec())) {
    residual["groups"].push_back({{"name", g.name},
                                  {"seeds", g.seeds},
                                  {"items", d.evidence.items},
                                  {"residual", json_of(rows_of(d.trained.residual, g.models))}});
  }
  // The untrained twins of the controls are a group of their own, as the controls are.
  for (const Group& g : groups_of(run.bench.spec())) {
    residual["groups"].push_back({{"name", "untrained" + (g.control ? ", " + g.name : "")},
                                  {"seeds", g.seeds},
                                  {"items", d.evidence.items},
                                  {"residual", json_of(rows_of(d.untrained->residual, g.models))}});
  }
  save_part(run, "dynamics.residual", std::move(residual));
  H5Writer file = results_file(run, "dynamics");
  put_axis(file, "model", run.bench.spec().seeds, "seed of the model");
  put_axis(file, "update", d.updates, "update r");
  put_grid(file,
           "residual",
           {"model", "update"},
           d.trained.residual,
           "relative change of the state, mean over items");
  put_grid(file, "turn", {"model", "update"}, d.trained.turn, "cosine between consecutive steps");
  put_grid(file,
           "radial",
           {"model", "update"},
           d.trained.radial,
           "share of the squared step along the state");
  put_grid(file,
           "untrained_residual",
           {"model", "update"},
           d.untrained->residual,
           "residual of untrained models");
  file.publish(run.folder + "/dynamics.h5");
}

}  // namespace

void measure_dynamics(Measured& run, int examples, int drawn, int depth) {
  constexpr double kSettled = 0.01;
  const Dataset& data = run.bench.test_set();
  const auto control = run.untrained();
  DynamicsOptions o;
  o.depth = depth;
  o.items = std::min<int64_t>(examples, data.size());
  o.untrained = control.get();
  o.run = run.run_options();
  o.trained = run.provenance();
  const ConvergenceResult d = convergence(*run.model, data, o);
  EvaluateOptions e;
  e.depths.resize(static_cast<size_t>(depth));
  std::iota(e.depths.begin(), e.depths.end(), 1);
  e.items = o.items;
  e.run = o.run;
  e.trained = o.trained;
  const DepthCurves curves = evaluate(*run.model, data, e);
  const HoldRates holds = hold_rates(curves);
  const SettledTable table = settled_table(curves, kSettled);
  fmt::print("dynamics of {} held-out examples over {} updates{}\n",
             o.items,
             d.updates.back(),
             d.evidence.exploratory ? ", exploratory" : "");
  for (const Group& g : groups_of(run.bench.spec())) {
    print_group(g, d, holds, table);
  }
  std::vector<int64_t> shown(static_cast<size_t>(std::min<int64_t>(drawn, o.items)));
  std::iota(shown.begin(), shown.end(), int64_t{0});
  save_part(run,
            "dynamics.trajectory",
            trajectories_json(trajectories(*run.model, data, shown, depth, -1, run.threads)));
  save(run, d);
}

}  // namespace sv
