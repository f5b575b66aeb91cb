// Accuracy and fixed-point residual against test depth, by group, with intervals over seeds and
// items.
#include <numeric>

#include <fmt/format.h>

#include "experiments/findings.h"
#include "interp/evaluate.h"

namespace sv {

using nlohmann::json;

namespace {

json group_json(const Group& g, const DepthCurves& c) {
  const Grid exact = rows_of(c.exact, g.models);
  const Grid accuracy = rows_of(c.accuracy, g.models);
  const Grid residual = rows_of(c.residual, g.models);
  json items_exact = json::array();
  json items_accuracy = json::array();
  for (const int m : g.models) {
    items_exact.push_back(json_of(c.exact_item_interval[static_cast<size_t>(m)]));
    items_accuracy.push_back(json_of(c.accuracy_item_interval[static_cast<size_t>(m)]));
  }
  return {{"name", g.name},
          {"seeds", g.seeds},
          {"items", c.evidence.items},
          {"exact", json_of(exact)},
          {"accuracy", json_of(accuracy)},
          {"residual", json_of(residual)},
          {"exact_interval", json_of(score_intervals(c.scores, g.models, true))},
          {"accuracy_interval", json_of(score_intervals(c.scores, g.models, false))},
          {"residual_interval", json_of(column_intervals(residual))},
          {"exact_item_interval", items_exact},
          {"accuracy_item_interval", items_accuracy}};
}

/// Curves by difficulty of the first group: of positions where the task grades them, else of
/// examples.
json difficulty_json(const Group& g, const DepthCurves& c) {
  json out = json::array();
  const auto& curves =
      c.by_position_difficulty.empty() ? c.by_difficulty : c.by_position_difficulty;
  const char* unit = c.by_position_difficulty.empty() ? "items" : "answer tokens";
  for (const DifficultyCurve& d : curves) {
    const Grid accuracy = rows_of(d.accuracy, g.models);
    out.push_back({{"difficulty", d.difficulty},
                   {"accuracy", json_of(accuracy)},
                   {"seeds", g.seeds},
                   {"items", d.items},
                   {"unit", unit},
                   {"interval", json_of(column_intervals(accuracy))},
                   {"group", g.name}});
  }
  return out;
}

void write_file(Measured& run, const DepthCurves& c) {
  H5Writer file = results_file(run, "depth");
  put_axis(file, "model", run.bench.spec().seeds, "seed of the model");
  put_axis(file, "depth", c.depths, "test depth in schedule periods");
  put_grid(file, "accuracy", {"model", "depth"}, c.accuracy, "share of answers that are right");
  put_grid(file, "exact", {"model", "depth"}, c.exact, "share of examples with every answer right");
  put_grid(file,
           "residual",
           {"model", "depth"},
           c.residual,
           "relative change of the state, mean over items");
  file.publish(run.folder + "/depth.h5");
}

/// Four decimals, or two digits of a residual that has fallen below them.
std::string residual_text(double residual) {
  return residual > 0 && residual < 1e-3 ? fmt::format("{:.1e}", residual)
                                         : number_text(residual, 4);
}

void print_table(const std::vector<Group>& groups,
                 const DepthCurves& c,
                 const Provenance& trained,
                 const std::string& data) {
  fmt::print("accuracy against test depth on {} {} ({} training examples, trained at depth {}){}\n",
             c.evidence.items,
             data,
             trained.train_items,
             trained.train_depth,
             c.evidence.exploratory ? ", exploratory: fewer than 10 seeds" : "");
  fmt::print("{:<16}{:>6}", "group", "depth");
  fmt::print("{:>12}{:>20}{:>12}{:>12}   exact by seed, %\n",
             "exact",
             "95 % seeds, items",
             "tokens",
             "residual");
  for (const Group& g : groups) {
    const Grid exact = rows_of(c.exact, g.models);
    const std::vector<double> mean = column_means(exact);
    const std::vector<double> tokens = column_means(rows_of(c.accuracy, g.models));
    const std::vector<double> residual = column_means(rows_of(c.residual, g.models));
    const std::vector<Interval> interval = score_intervals(c.scores, g.models, true);
    for (size_t d = 0; d < c.depths.size(); ++d) {
      fmt::print("{:<16}{:>6}{:>12}{:>20}{:>12}{:>12}  ",
                 d == 0 ? g.name : "",
                 c.depths[d],
                 number_text(100 * mean[d], 1, "%"),
                 fmt::format("[{}, {}]%",
                             number_text(100 * interval[d].low, 1),
                             number_text(100 * interval[d].high, 1)),
                 number_text(100 * tokens[d], 1, "%"),
                 residual_text(residual[d]));
      for (const auto& row : exact) {
        fmt::print(" {}", number_text(100 * row[d], 1));
      }
      fmt::print("\n");
    }
  }
}

void print_difficulty(const Group& g, const DepthCurves& c, const std::string& name) {
  if (c.by_difficulty.size() < 2) {
    return;
  }
  fmt::print("token accuracy of {} by difficulty ({}); examples behind each in brackets\n{:<16}",
             g.name,
             name,
             "depth");
  for (const DifficultyCurve& d : c.by_difficulty) {
    fmt::print("{:>14}", fmt::format("{} [{}]", d.difficulty, d.items));
  }
  fmt::print("\n");
  for (size_t r = 0; r < c.depths.size(); ++r) {
    fmt::print("{:<16}", c.depths[r]);
    for (const DifficultyCurve& d : c.by_difficulty) {
      fmt::print("{:>14}",
                 number_text(100 * column_means(rows_of(d.accuracy, g.models))[r], 1, "%"));
    }
    fmt::print("\n");
  }
}

/// What a rule looks at.
const char* halt_text(Halt::Kind kind) {
  switch (kind) {
    case Halt::Kind::none:
      return "none";
    case Halt::Kind::change:
      return "relative state change";
    case Halt::Kind::divergence:
      return "logit divergence";
    case Halt::Kind::entropy:
      return "entropy change";
    case Halt::Kind::learned:
      return "the learned score";
    case Halt::Kind::sample:
      return "a draw from the learned score";
    case Halt::Kind::cdf:
      return "the cumulated learned score";
    case Halt::Kind::patience:
      return "answers that stay";
    case Halt::Kind::confident:
      return "the most confident readout of all updates, which saves no work";
    case Halt::Kind::oracle:
      return "the difficulty of the item";
  }
  fail("unknown halting rule");
}

/// Whether harder examples stop later.
void print_halting_difficulty(const HaltResult& h, const std::string& name) {
  if (h.by_difficulty.size() < 2) {
    return;
  }
  fmt::print("mean over seeds by difficulty ({}); examples behind each in brackets\n{:<16}",
             name,
             "updates, exact");
  for (const HaltDifficulty& d : h.by_difficulty) {
    const auto mean = [](const std::vector<double>& x) {
      return std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
    };
    fmt::print("{:>22}",
               fmt::format("{} [{}]: {:.2f}, {:.1f}%",
                           d.difficulty,
                           d.items,
                           mean(d.mean_updates),
                           100 * mean(d.exact)));
  }
  fmt::print("\n");
}

void measure_halting(Measured& run,
                     const DepthMeasure& what,
                     const Dataset& data,
                     const std::string& rule_name) {
  HaltOptions o;
  o.rule = what.halt;
  o.max_depth = what.depths.back();
  o.run = run.run_options();
  o.trained = run.provenance();
  const HaltResult h = evaluate_halting(*run.model, data, o);
  fmt::print("halting by {}: stops after {} updates at most\n{:<8}{:>10}{:>10}{:>14}{:>10}\n",
             rule_name,
             h.max_updates,
             "seed",
             "exact",
             "tokens",
             "mean updates",
             "saved");
  for (size_t m = 0; m < h.exact.size(); ++m) {
    fmt::print("{:<8}{:>9.1f}%{:>9.1f}%{:>14.2f}{:>9.1f}%\n",
               h.evidence.seeds[m],
               100 * h.exact[m],
               100 * h.accuracy[m],
               h.mean_updates[m],
               100 * h.saved[m]);
  }
  fmt::print("row updates left out of the computation: {:.1f} %{}\n",
             100 * h.work_saved,
             run.model->schedule().stationary()
                 ? ""
                 : "; rows go in step, as this model's updates are not alike");
  print_halting_difficulty(h, data.task().spec().difficulty);
  json levels = json::array();
  for (const HaltDifficulty& d : h.by_difficulty) {
    levels.push_back({{"difficulty", d.difficulty},
                      {"items", d.items},
                      {"mean_updates", d.mean_updates},
                      {"exact", d.exact}});
  }
  json value = {{"depths", h.updates},
                {"count", json_of(h.count)},
                {"by_difficulty", levels},
                {"seeds", h.evidence.seeds},
                {"rule", rule_name}};
  save_part(run, "dynamics.halting", std::move(value));
}

}  // namespace

std::vector<DepthHeadline> measure_depth(Measured& run, const DepthMeasure& asked) {
  DepthMeasure what = asked;
  if (what.depths.empty()) {
    what.depths = run.bench.spec().depth.test;
  }
  std::sort(what.depths.begin(), what.depths.end());
  const int limit = run.model->schedule().max_updates;
  if (limit > 0) {
    std::erase_if(what.depths, [&](int d) { return d * run.model->schedule().period() > limit; });
    SV_CHECK(
        !what.depths.empty(), "this model has ", limit, " updates; depth.test asks only for more");
  }
  const Dataset& data = what.data != nullptr ? *what.data : run.bench.test_set();
  expect_graded(what.halt, data.task().spec());
  EvaluateOptions o;
  o.depths = what.depths;
  o.run = run.run_options();
  o.trained = run.provenance();
  const DepthCurves c = evaluate(*run.model, data, o);
  const std::vector<Group> groups = groups_of(run.bench.spec());
  print_table(groups, c, o.trained, what.label.empty() ? "held-out examples" : what.label);
  print_difficulty(groups.front(), c, data.task().spec().difficulty);
  if (what.data == nullptr && !what.untrained) {
    json value = {{"depths", c.depths},
                  {"interval_method", "95 % bootstrap interval over seeds, then items"},
                  {"groups", json::array()},
                  {"by_difficulty", difficulty_json(groups.front(), c)}};
    for (const Group& g : groups) {
      value["groups"].push_back(group_json(g, c));
    }
    save_part(run, "depth", std::move(value));
    write_file(run, c);
  }
  if (what.halt.kind != Halt::Kind::none) {
    measure_halting(
        run,
        what,
        data,
        what.halt.kind == Halt::Kind::sample || what.halt.kind == Halt::Kind::confident
            ? halt_text(what.halt.kind)
            : fmt::format("{} (threshold {})", halt_text(what.halt.kind), what.halt.threshold));
  }
  std::vector<DepthHeadline> out;
  for (const Group& g : groups) {
    out.push_back(
        {g.name, g.seeds, c.depths, rows_of(c.exact, g.models), rows_of(c.accuracy, g.models)});
  }
  return out;
}

}  // namespace sv
