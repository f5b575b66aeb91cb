// Halting rules against their definitions, recomputed from a recorded run that does not halt.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <ostream>

#include "core/rng.h"
#include "models/model_fixture.h"
#include "models/train/settings.h"

namespace sv::models_test {
namespace {

using Readouts = SaveAt::Readouts;

const std::vector<uint64_t> kSeeds = {3, 7, 8};

/// All that a run without halting leaves, as plain numbers: every update's state, readout, score.
struct Full {
  int64_t batch, positions, classes;
  std::vector<std::vector<double>> logits;               // by r - 1: (M, B, T, V)
  std::vector<std::vector<double>> scores;               // by r - 1: (M, B) or (M, B, T)
  std::vector<std::vector<std::vector<double>>> states;  // by r and part: (M, B, T, D)
  int64_t scores_of_row = 0;
};

std::vector<double> numbers(const Tensor& x) {
  return {x.as<double>(), x.as<double>() + x.numel()};
}

Full full_run(Reasoner& model, const Inputs& in, int updates) {
  Plan plan = plan_of(std::to_string(updates / model.schedule().period()), Readouts::every);
  for (int r = 0; r <= updates; ++r) {
    plan.save.states.push_back(r);
  }
  ModelRun run(model);
  const Trajectory& t = run.forward(in, plan);
  const Shape shape = t.readouts.at(0).logits.shape();
  Full out{shape[1], shape[2], shape[3], {}, {}, {}};
  for (const Readout& y : t.readouts) {
    out.logits.push_back(numbers(y.logits.value()));
    if (y.halt) {
      out.scores.push_back(numbers(y.halt.value()));
      out.scores_of_row = y.halt.shape().rank() == 3 ? out.positions : 1;
    }
  }
  for (const auto& [r, h] : t.states) {
    out.states.emplace_back();
    for (size_t p = 0; p < model.schedule().parts.size(); ++p) {
      out.states.back().push_back(numbers(h[static_cast<int>(p)].value()));
    }
  }
  return out;
}

/// One row of one model, asked about its updates r = 1, 2, ...
struct Row {
  const Full& full;
  const Schedule& schedule;
  uint64_t seed;
  int64_t cell;  // m * B + b
  int64_t index;
  int64_t length;  // positions in use

  std::vector<double> softmax(int r, int64_t t) const {
    const double* x = &full.logits[static_cast<size_t>(r) - 1]
                                  [static_cast<size_t>((cell * full.positions + t) * full.classes)];
    std::vector<double> p;
    double sum = 0;
    for (int64_t v = 0; v < full.classes; ++v) {
      p.push_back(std::exp(x[v]));
      sum += p.back();
    }
    for (double& v : p) {
      v /= sum;
    }
    return p;
  }
  template <class F>
  double mean(F f) const {
    double sum = 0;
    for (int64_t t = 0; t < length; ++t) {
      sum += f(t);
    }
    return sum / static_cast<double>(length);
  }
  double change(int r) const {
    const auto part = static_cast<size_t>(schedule.part_of(r));
    const auto& now = full.states[static_cast<size_t>(r)][part];
    const auto& before = full.states[static_cast<size_t>(r) - 1][part];
    const size_t size =
        now.size() * static_cast<size_t>(full.batch) /
        (full.logits[0].size() / static_cast<size_t>(full.positions * full.classes));
    double moved = 0, norm = 0;
    for (size_t i = static_cast<size_t>(cell) * size / static_cast<size_t>(full.batch);
         i < static_cast<size_t>(cell + 1) * size / static_cast<size_t>(full.batch);
         ++i) {
      moved += (now[i] - before[i]) * (now[i] - before[i]);
      norm += now[i] * now[i];
    }
    return std::sqrt(moved / norm);
  }
  double entropy(int r) const {
    return mean([&](int64_t t) {
      double h = 0;
      for (const double p : softmax(r, t)) {
        h -= p * std::log(p);
      }
      return h;
    });
  }
  double divergence(int r, int before) const {
    return mean([&](int64_t t) {
      const auto p = softmax(r, t), q = softmax(before, t);
      double kl = 0;
      for (size_t v = 0; v < p.size(); ++v) {
        kl += p[v] * std::log(p[v] / q[v]);
      }
      return kl;
    });
  }
  double confidence(int r) const {
    return mean([&](int64_t t) { return std::ranges::max(softmax(r, t)); });
  }
  std::vector<int64_t> answers(int r) const {
    std::vector<int64_t> out;
    for (int64_t t = 0; t < length; ++t) {
      const auto p = softmax(r, t);
      out.push_back(std::ranges::max_element(p) - p.begin());
    }
    return out;
  }
  /// Halting score t of the row after update r, and whether it fires there by itself.
  double score(int r, int64_t t) const {
    return full
        .scores[static_cast<size_t>(r) - 1][static_cast<size_t>(cell * full.scores_of_row + t)];
  }
  double chance(int r, int64_t t) const { return 1 / (1 + std::exp(-score(r, t))); }
  double draw(int r, int64_t t) const {
    const Rng rng(seed, stream_of("halt"), static_cast<uint64_t>(r));
    return rng.uniform(static_cast<uint64_t>(index * full.scores_of_row + t));
  }
};

/// Does the row, never stopped before, stop at the last of these checks? The definitions of
/// strategies.h, each from scratch.
bool stops_at(
    const Halt& rule, const Row& row, const std::vector<int>& checks, int period, int periods) {
  using Kind = Halt::Kind;
  const size_t n = checks.size();
  const int r = checks.back();
  const int64_t used = row.full.scores_of_row == 1 ? 1 : row.length;
  const auto may = [&](int check) { return check / period >= rule.min_depth; };
  // Each score has fired at some check.
  const auto each_fired = [&](auto fires) {
    for (int64_t t = 0; t < used; ++t) {
      if (std::ranges::none_of(checks, [&](int c) { return may(c) && fires(c, t); })) {
        return false;
      }
    }
    return true;
  };
  if (!may(r)) {
    return false;
  }
  switch (rule.kind) {
    case Kind::change:
      return row.change(r) < rule.threshold;
    case Kind::divergence:
      return n > 1 && row.divergence(r, checks[n - 2]) < rule.threshold;
    case Kind::entropy:
      return n > 1 && std::abs(row.entropy(r) - row.entropy(checks[n - 2])) < rule.threshold;
    case Kind::learned:
      return each_fired([&](int c, int64_t t) { return row.score(c, t) > rule.threshold; });
    case Kind::sample:
      return each_fired([&](int c, int64_t t) { return row.draw(c, t) < row.chance(c, t); });
    case Kind::cdf:
      for (int64_t t = 0; t < used; ++t) {
        double survival = 1;
        for (const int c : checks) {
          survival *= 1 - row.chance(c, t);
        }
        if (1 - survival < rule.threshold) {
          return false;
        }
      }
      return true;
    case Kind::patience:
      for (size_t k = 0; k < static_cast<size_t>(rule.threshold); ++k) {
        if (n < k + 2 || row.answers(checks[n - 1 - k]) != row.answers(checks[n - 2 - k])) {
          return false;
        }
      }
      return true;
    case Kind::oracle:
      return r / period >= periods;
    case Kind::none:
    case Kind::confident:
      break;
  }
  return false;
}

/// Update whose readout the confident rule chooses among these checks.
int most_confident(const Halt& rule, const Row& row, const std::vector<int>& checks, int period) {
  int best = checks.back();
  double most = -1;
  for (const int r : checks) {
    if (r / period >= rule.min_depth && row.confidence(r) > most) {
      most = row.confidence(r);
      best = r;
    }
  }
  return best;
}

struct RuleCase {
  std::string name, model;
  Halt halt;
};
void PrintTo(const RuleCase& c, std::ostream* to) {
  *to << c.name;
}

class EveryRule : public testing::TestWithParam<RuleCase> {
 protected:
  static constexpr int kPeriods = 24;
  static constexpr int kBatch = 8;
  EveryRule() {
    const std::string& name = GetParam().model;
    model_ = name == "two_level"  ? make_two_level(kSeeds, DType::f64)
             : name == "by_token" ? make_two_level(kSeeds, DType::f64, true)
                                  : make_model(setting(name), kSeeds, DType::f64);
    for (int b = 0; b < kBatch; ++b) {
      periods_.push_back((b * 5 + 2) % 29);
      ids_.tensor().as<int32_t>()[b] = kBatch - 1 - b;
    }
  }
  Inputs inputs() const {
    Inputs in = data_.inputs();
    in.ids = ids_;
    return in;
  }
  /// Moves the halting head so that scores of the first updates lie around a third.
  void spread_scores() {
    const Params& params = model_->params();
    for (int m = 0; GetParam().model == "halt_head" && m < 3; ++m) {
      params[params.find("halt.bias")].value.tensor().as<double>()[m] = -1;
    }
  }
  std::unique_ptr<Reasoner> model_;
  Data data_{kSeeds, kBatch, true};
  Buffer ids_{{1, kBatch}, DType::i32};
  std::vector<int> periods_;
};

/// The steps of the run are those that its definition finds in the recorded run without halting.
TEST_P(EveryRule, StopsWhereItsDefinitionSaysOnTheRecordedTrajectory) {
  spread_scores();
  const Halt& halt = GetParam().halt;
  const int period = model_->schedule().period(), last = kPeriods * period;
  const Full full = full_run(*model_, inputs(), last);
  Plan plan = plan_of(std::to_string(kPeriods));
  plan.halt = halt;
  plan.periods = &periods_;
  ModelRun run(*model_);
  const Trajectory& out = run.forward(inputs(), plan);
  const auto* lengths = data_.inputs().lengths.as<int32_t>();
  for (int64_t cell = 0; cell < 3 * kBatch; ++cell) {
    const int64_t index = kBatch - 1 - cell % kBatch;
    const Row row{full,
                  model_->schedule(),
                  kSeeds[static_cast<size_t>(cell / kBatch)],
                  cell,
                  index,
                  lengths[cell]};
    std::vector<int> checks;
    int stop = last;
    for (int r = period; r <= last; r += period) {
      if (r % (period * halt.every) != 0 && r != last) {
        continue;
      }
      checks.push_back(r);
      if (r % (period * halt.every) == 0 &&
          stops_at(halt, row, checks, period, periods_[static_cast<size_t>(index)])) {
        stop = r;
        break;
      }
    }
    const auto i = static_cast<size_t>(cell);
    EXPECT_EQ(out.steps[i], stop) << "cell " << cell;
    EXPECT_EQ(out.chosen[i],
              halt.kind == Halt::Kind::confident ? most_confident(halt, row, checks, period) : stop)
        << "cell " << cell;
    const Tensor logits = out.exit_logits;
    const int64_t size = logits.numel() / (3 * kBatch);
    for (int64_t k = 0; k < size; ++k) {
      ASSERT_EQ(logits.as<double>()[cell * size + k],
                full.logits[static_cast<size_t>(out.chosen[i]) - 1]
                           [static_cast<size_t>(cell * size + k)]);
    }
  }
  EXPECT_LT(std::ranges::min(out.chosen), std::ranges::max(out.chosen)) << "all rows stop alike";
}

std::vector<RuleCase> rule_cases() {
  using Kind = Halt::Kind;
  std::vector<RuleCase> out;
  const auto add = [&](const std::string& model, const Halt& halt, const std::string& how = "") {
    out.push_back({kHaltRules.at(static_cast<size_t>(halt.kind)) + "_" + model + how, model, halt});
  };
  for (const std::string model : {"halt_head", "two_level", "by_token"}) {
    add(model, {Kind::change, 0.05});
    add(model, {Kind::divergence, 1e-4});
    add(model, {Kind::entropy, 2e-3});
    add(model, {Kind::patience, 3});
    add(model, {Kind::confident});
    add(model, {Kind::oracle});
    add(model, {Kind::patience, 2, 1, 3}, "_every3");
    add(model, {Kind::entropy, 2e-2, 6, 2}, "_late");
    add(model, {Kind::confident, 0, 4, 5}, "_every5_late");
    add(model, {Kind::oracle, 0, 3, 2}, "_every2");
  }
  for (const std::string model : {"halt_head", "by_token"}) {
    add(model, {Kind::learned, model == "by_token" ? 0.3 : -1.1});
    add(model, {Kind::sample});
    add(model, {Kind::cdf, 0.8});
    add(model, {Kind::learned, model == "by_token" ? 0.3 : -1.1, 7, 2}, "_late");
    add(model, {Kind::sample, 0, 5, 2}, "_late");
    add(model, {Kind::cdf, 0.6, 3, 2}, "_every2");
  }
  return out;
}
INSTANTIATE_TEST_SUITE_P(Halting,
                         EveryRule,
                         testing::ValuesIn(rule_cases()),
                         [](const auto& tested) { return tested.param.name; });

/// A constant score of 0.25 stops by a geometric law with mean 4; each model draws for itself.
TEST(SampledHalting, IsGeometricUnderAConstantScore) {
  constexpr int kRows = 512;
  const auto model = make_model(setting("halt_head"), kSeeds, DType::f64);
  const auto set = [&](const char* name, double value) {
    const Tensor& x = model->params()[model->params().find(name)].value;
    std::fill_n(x.as<double>(), x.numel(), value);
  };
  set("halt.weight", 0);
  set("halt.bias", std::log(0.25 / 0.75));
  Plan plan = plan_of("60");
  plan.halt = {Halt::Kind::sample};
  ModelRun run(*model);
  const Trajectory& out = run.forward(Data(kSeeds, kRows).inputs(), plan);
  for (int m = 0; m < 3; ++m) {
    const auto* steps = &out.steps[static_cast<size_t>(m) * kRows];
    const double mean = std::accumulate(steps, steps + kRows, 0.0) / kRows;
    // Variance of the law: 0.75 / 0.25^2 = 12; five standard deviations of the mean.
    EXPECT_NEAR(mean, 4, 5 * std::sqrt(12.0 / kRows)) << m;
    EXPECT_FALSE(m > 0 && std::equal(steps, steps + kRows, out.steps.begin()));
  }
}

}  // namespace
}  // namespace sv::models_test
