// Made-up run folders that look like real ones: for the tests of the report only.
#include "report/fake_findings.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace sv::report_testing {
namespace {

using nlohmann::json;

/// Repeatable noise in [-1, 1]; the tests need curves that look alive, not good randomness.
double noise(int a, int b, int c = 0) {
  const double x = std::sin(a * 12.9898 + b * 78.233 + c * 37.719 + 1.0) * 43758.5453;
  return 2 * (x - std::floor(x)) - 1;
}

double logistic(double x) {
  return 1 / (1 + std::exp(-x));
}
double share(double x) {
  return std::clamp(x, 0.0, 1.0);
}

json depths_up_to(int most) {
  json out = json::array();
  for (int r : {1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64}) {
    if (r <= most) {
      out.push_back(r);
    }
  }
  return out;
}

json first_seeds(int n) {
  json out = json::array();
  for (int s = 0; s < n; ++s) {
    out.push_back(s);
  }
  return out;
}

/// [seed][depth] of f(seed, depth).
template <class F>
json by_seed(int seeds, const json& depths, const F& f) {
  json out = json::array();
  for (int s = 0; s < seeds; ++s) {
    json row = json::array();
    for (const json& r : depths) {
      row.push_back(f(s, r.get<double>()));
    }
    out.push_back(row);
  }
  return out;
}

json fake_depth(const FakeRun& run, const json& depths) {
  const auto exact = [](int s, double r) {
    return share(0.98 * logistic(1.1 * (r - 3.2 + 0.5 * noise(s, 1))) - 0.005 * (s == 2) * r / 8);
  };
  const auto token = [&](int s, double r) { return share(0.55 + 0.445 * std::sqrt(exact(s, r))); };
  const auto residual = [](int s, double r) {
    return 0.9 * std::exp(-0.28 * r * (1 + 0.1 * noise(s, 2))) +
           4e-4 * (1 + 0.5 * noise(s, static_cast<int>(r)));
  };
  const auto bad_exact = [](int, double r) { return share(0.09 - 0.003 * r); };
  const auto bad_token = [](int, double r) { return share(0.84 - 0.006 * r); };
  const auto bad_residual = [](int, double r) { return 0.6 / std::sqrt(r); };
  json looped = {{"name", "looped"},
                 {"seeds", first_seeds(run.seeds)},
                 {"items", 1024},
                 {"exact", by_seed(run.seeds, depths, exact)},
                 {"accuracy", by_seed(run.seeds, depths, token)},
                 {"residual", by_seed(run.seeds, depths, residual)}};
  looped["exact_item_interval"] = by_seed(run.seeds, depths, [&](int s, double r) {
    return json::array({share(exact(s, r) - 0.02), share(exact(s, r) + 0.02)});
  });
  json control = {{"name", "no injection"},
                  {"seeds", {0}},
                  {"items", 1024},
                  {"exact", by_seed(1, depths, bad_exact)},
                  {"accuracy", by_seed(1, depths, bad_token)},
                  {"residual", by_seed(1, depths, bad_residual)}};
  json levels = json::array();
  for (int level = 1; level <= 6; ++level) {
    levels.push_back(
        {{"difficulty", level},
         {"depths", depths},
         {"items", 260 - 35 * level},
         {"group", "looped"},
         {"accuracy", by_seed(run.seeds, depths, [&](int s, double r) {
            return share(0.99 * logistic(1.3 * (r - 0.9 * level - 0.5 + 0.3 * noise(s, level))));
          })}});
  }
  return {{"depths", depths}, {"groups", {looped, control}}, {"by_difficulty", levels}};
}

json fake_example(const FakeRun& run, const json& depths, int id, int seed) {
  const int positions = run.rows * run.cols;
  json tokens = json::array(), targets = json::array();
  for (int t = 0; t < positions; ++t) {
    const std::string digit = std::to_string((t * 5 + t / run.cols + id) % run.cols + 1);
    const bool clue = noise(t, id, 5) < -0.15;
    tokens.push_back(clue ? digit : ".");
    targets.push_back(clue ? "" : digit);
  }
  json readout = json::array(), prob = json::array(), correct = json::array();
  for (const json& depth : depths) {
    json texts = json::array(), ps = json::array(), rights = json::array();
    for (int t = 0; t < positions; ++t) {
      const double p =
          share(logistic(0.9 * (depth.get<double>() - 2.5 - 2.5 * noise(t, id, seed))) * 0.98);
      const auto target = targets[t].get<std::string>();
      const bool right = p > 0.45 || target.empty();
      const std::string truth = target.empty() ? tokens[t].get<std::string>() : target;
      texts.push_back(right ? truth : std::to_string((t + 3) % run.cols + 1));
      ps.push_back(right ? std::max(p, 0.4) : 0.25 + 0.3 * p);
      rights.push_back(right ? 1 : 0);
    }
    readout.push_back(texts);
    prob.push_back(ps);
    correct.push_back(rights);
  }
  return {{"id", id},
          {"seed", seed},
          {"tokens", tokens},
          {"targets", targets},
          {"readout", readout},
          {"prob", prob},
          {"correct", correct}};
}

json fake_lens(const FakeRun& run) {
  const json depths = depths_up_to(16);
  json examples = json::array();
  for (int id : {17, 230, 411}) {
    examples.push_back(fake_example(run, depths, id, id % run.seeds));
  }
  examples[1]["note"] = "hard: 6 rounds";
  json lens = {{"depths", depths},
               {"positions", run.rows * run.cols},
               {"examples", examples},
               {"grid", nullptr}};
  if (run.grid) {
    lens["grid"] = {run.rows, run.cols};
    lens["box"] = {run.box_rows, run.box_cols};
  }
  return lens;
}

json fake_probe(const FakeRun& run) {
  const json depths = depths_up_to(16);
  json out = json::array();
  for (int step = 1; step <= 4; ++step) {
    const auto accuracy = [&](int s, double r) {
      return 0.71 + 0.24 * std::exp(-std::pow((r - 1.8 * step) / (2.2 + step), 2)) +
             0.01 * noise(s, step, static_cast<int>(r));
    };
    const auto shuffled = [&](int s, double r) {
      return 0.655 + 0.012 * noise(s, step + 9, static_cast<int>(r));
    };
    const auto untrained = [&](int s, double r) {
      return 0.70 + 0.02 * std::exp(-r) + 0.01 * noise(s, step + 5, static_cast<int>(r));
    };
    out.push_back({{"truth", "pencil mark"},
                   {"step", step},
                   {"site", "loop.*.state_out:h"},
                   {"depths", depths},
                   {"majority", 0.672},
                   {"items", 512},
                   {"train_items", 2048},
                   {"accuracy", by_seed(run.seeds, depths, accuracy)},
                   {"control_shuffled", by_seed(run.seeds, depths, shuffled)},
                   {"control_untrained", by_seed(run.seeds, depths, untrained)},
                   {"selectivity", by_seed(run.seeds, depths, [&](int s, double r) {
                      return accuracy(s, r) - shuffled(s, r);
                    })}});
  }
  json map = by_seed(
      static_cast<int>(depths.size()), first_seeds(run.rows * run.cols), [](int r, double t) {
        return share(0.1 + 0.02 * r + 0.2 * noise(r, static_cast<int>(t)));
      });
  out[0]["by_position"] = {{"positions", run.rows * run.cols}, {"accuracy", map}};
  return out;
}

json fake_patch(const FakeRun& run) {
  const json places = {"changed cell", "same box", "same row", "same column", "elsewhere"};
  const json depths = {1, 2, 3, 4, 6, 8, 12, 16};
  json out = json::array();
  for (const std::string mode : {"at", "window", "clamp"}) {
    const double hold = mode == "at" ? 0.25 : mode == "window" ? 0.6 : 0.92;
    const auto effect = [&](int s) {
      return by_seed(static_cast<int>(depths.size()), first_seeds(5), [&](int r, double t) {
        return share(hold * std::exp(-0.9 * t) * std::exp(-0.12 * r) + 0.02 +
                     0.02 * noise(s, r, static_cast<int>(t)));
      });
    };
    json seeds = json::array();
    for (int s = 0; s < run.seeds; ++s) {
      seeds.push_back(effect(s));
    }
    const json null = by_seed(static_cast<int>(depths.size()), first_seeds(5), [](int r, double t) {
      return share(0.02 + 0.02 * noise(r, static_cast<int>(t)));
    });
    out.push_back({{"mode", mode},
                   {"site", "loop.*.state_out:h"},
                   {"depths", depths},
                   {"positions", places},
                   {"effect", effect(0)},
                   {"by_seed", seeds},
                   {"items", 256},
                   {"metric", "share of answers that turn to the donor's"},
                   {"controls",
                    {{{"name", "same-intermediate donor"}, {"effect", null}},
                     {{"name", "random donor"}, {"effect", null}}}}});
  }
  return out;
}

json fake_dynamics(const FakeRun& run) {
  json paths = json::array();
  for (int id : {17, 230, 411}) {
    json points = json::array();
    for (int r = 0; r <= 16; ++r) {
      const double size = 9 * std::exp(-0.22 * r), turn = 0.7 * r + id;
      points.push_back({size * std::cos(turn) + 2 * noise(id, 3), size * std::sin(turn)});
    }
    paths.push_back({{"id", id},
                     {"seed", 0},
                     {"label", id == 230 ? "not solved" : "solved"},
                     {"pc", points},
                     {"explained", {0.46, 0.21}}});
  }
  const json depths = first_seeds(24);
  const json count = by_seed(run.seeds, depths, [](int s, double r) {
    return std::floor(220 * std::exp(-std::pow((r - 6.0) / 3, 2)) *
                      (1 + 0.1 * noise(s, static_cast<int>(r))));
  });
  return {{"trajectory", paths},
          {"halting",
           {{"depths", depths}, {"count", count}, {"rule", "relative state change below 0.01"}}}};
}

}  // namespace

json fake_findings(const FakeRun& run) {
  const json seeds = first_seeds(run.seeds);
  const json depths = depths_up_to(run.max_depth);
  return {{"schema", 1},
          {"title", run.name + ", trained at 2–4 updates"},
          {"spec_digest", "3f9a0c77d1e84b02aa5510"},
          {"exploratory", run.seeds < 10},
          {"task",
           {{"name", run.name},
            {"train_size", 20000},
            {"test_size", 1024},
            {"notes",
             {"48 % of the test solutions occur in the training pool up to renaming of digits."}}}},
          {"train_depth", {{"law", "uniform"}, {"min", 2}, {"max", 4}}},
          {"seeds", seeds},
          {"groups",
           {{{"name", "looped"}, {"seeds", seeds}}, {{"name", "no injection"}, {"seeds", {0}}}}},
          {"summary",
           {{{"text",
              "At 16 updates, four times the training depth, the looped model solves 97.9 % of "
              "1,024 unseen puzzles."},
             {"interval", {0.966, 0.991}}},
            {{"text", "Without input injection it solves 4 %."}}}},
          {"timing",
           {{{"name", "train"}, {"seconds", 118.3}}, {{"name", "measure"}, {"seconds", 41.9}}}},
          {"depth", fake_depth(run, depths)},
          {"lens", fake_lens(run)},
          {"probe", fake_probe(run)},
          {"patch", fake_patch(run)},
          {"dynamics", fake_dynamics(run)},
          {"tables",
           {{{"title", "Accuracy by nesting depth"},
             {"note", "The rule answers by the outermost operator."},
             {"columns", {"nesting depth", "looped", "feedforward", "rule"}},
             {"rows",
              {{1, "97.1 %", "96.0 %", "66.0 %"},
               {2, "91.4 %", "80.2 %", "65.1 %"},
               {3, nullptr, "70.0 %", "64.9 %"}}}}}}};
}

std::string fake_metrics(const FakeRun& run, int steps) {
  std::ostringstream out;
  for (int step = 10; step <= steps; step += 10) {
    for (int s = 0; s <= run.seeds; ++s) {
      const bool control = s == run.seeds;
      const double loss = (control ? 0.5 : 0.02) + 1.7 *
                                                       std::exp(-step / (control ? 260.0 : 140.0)) *
                                                       (1 + 0.12 * noise(s, step));
      out << json({{"event", "train"},
                   {"step", step},
                   {"seed", control ? 0 : s},
                   {"label", control ? "no injection" : "looped"},
                   {"loss", loss},
                   {"accuracy", share(1 - loss / 2)},
                   {"grad_norm", 0.3 + loss * (1 + 0.4 * noise(s, step, 2))},
                   {"seconds", step * 0.19}})
                 .dump()
          << "\n";
    }
    out << R"({"event":"checkpoint","step":)" << step << "}\n";
  }
  return out.str();
}

std::string fresh_folder(const std::string& name) {
  const char* keep = std::getenv("SV_REPORT_KEEP");
  const std::filesystem::path root = keep != nullptr ? keep : ::testing::TempDir();
  std::ostringstream own;
  own << "report_" << name;
  if (keep == nullptr) {  // tests of one build may run side by side
    own << "_" << ::testing::UnitTest::GetInstance()->current_test_info()->name();
  }
  const auto folder = root / own.str();
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  return folder.string();
}

void write_text(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

std::string read_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

std::string write_run(const std::string& name,
                      const json& findings,
                      const std::string& metrics,
                      const json& run_json) {
  const std::string folder = fresh_folder(name);
  if (!findings.is_null()) {
    write_text(folder + "/findings.json", findings.dump());
  }
  if (!metrics.empty()) {
    write_text(folder + "/metrics.jsonl", metrics);
  }
  if (!run_json.is_null()) {
    write_text(folder + "/run.json", run_json.dump());
  }
  return folder;
}

std::string write_run(const std::string& name, const FakeRun& run) {
  const json run_json = {{"argv", {"subvocal", "train", "task=sudoku", "--seeds", "4"}},
                         {"commit", "4817c9a"},
                         {"build", "cpu, x86-64-v3, Release"},
                         {"device", "2 cores"},
                         {"seeds", first_seeds(run.seeds)}};
  return write_run(name, fake_findings(run), fake_metrics(run), run_json);
}

}  // namespace sv::report_testing
