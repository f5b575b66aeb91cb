// The loop and its strategies: resuming, what is kept, depth laws, flat memory. (Halting:
// halting_test.cpp.)
#include <algorithm>
#include <cmath>

#include "models/model_fixture.h"
#include "resident.h"
#include "sanitizers.h"

namespace sv::models_test {
namespace {

using Readouts = SaveAt::Readouts;

const std::vector<uint64_t> kSeeds = {3, 7, 8};

/// The state of a trajectory as bytes.
std::vector<std::byte> state_bytes(const State& h, const Schedule& schedule) {
  std::vector<std::byte> out;
  for (size_t p = 0; p < schedule.parts.size(); ++p) {
    const std::vector<std::byte> part = bytes_of(h[static_cast<int>(p)].value());
    out.insert(out.end(), part.begin(), part.end());
  }
  return out;
}

void expect_resume(Reasoner& model, int cycles) {
  const Data data(kSeeds, 2);
  const int updates = cycles * model.schedule().period();
  Plan plan = plan_of(std::to_string(cycles));
  for (int r = 0; r < updates; ++r) {
    plan.save.states.push_back(r);
  }
  ModelRun whole(model);
  const Trajectory& all = whole.forward(data.inputs(), plan);
  ASSERT_EQ(all.states.size(), static_cast<size_t>(updates));
  const auto final = state_bytes(all.final, model.schedule());
  const auto logits = bytes_of(all.readouts.at(0).logits.value());
  for (const auto& [r, h] : all.states) {
    Start start{r, {}};
    for (size_t p = 0; p < model.schedule().parts.size(); ++p) {
      start.parts[p] = h[static_cast<int>(p)].value();
    }
    Plan rest = plan_of(std::to_string(cycles));
    rest.start = &start;
    ModelRun resumed(model);
    const Trajectory& out = resumed.forward(data.inputs(), rest);
    EXPECT_EQ(state_bytes(out.final, model.schedule()), final) << "from " << r;
    EXPECT_EQ(bytes_of(out.readouts.at(0).logits.value()), logits) << "from " << r;
    EXPECT_EQ(out.updates_run, updates - r);
  }
}

TEST(Resume, FromAnyUpdateEqualsTheUninterruptedRun) {
  for (const Setting& s : all_settings()) {
    SCOPED_TRACE(s.name);
    expect_resume(*make_model(s.model, kSeeds, DType::f32), 5);
  }
  expect_resume(*make_two_level(kSeeds, DType::f32), 2);
}

TEST(SaveAt, ReadoutsOfAListAreThoseOfEvery) {
  const auto model = make_model(setting("prelude_coda"), kSeeds, DType::f32);
  const Data data(kSeeds, 2);
  ModelRun a(*model);
  const Trajectory& every = a.forward(data.inputs(), plan_of("6", Readouts::every));
  ASSERT_EQ(every.readouts.size(), 6u);
  Plan plan = plan_of("6", Readouts::list);
  plan.save.readout_list = {2, 5};
  ModelRun b(*model);
  const Trajectory& list = b.forward(data.inputs(), plan);
  ASSERT_EQ(list.readouts.size(), 2u);
  for (const Readout& y : list.readouts) {
    EXPECT_TRUE(same_bits(y.logits.value(),
                          every.readouts.at(static_cast<size_t>(y.r) - 1).logits.value()));
  }
  ModelRun c(*model);
  EXPECT_TRUE(c.forward(data.inputs(), plan_of("6", Readouts::none)).readouts.empty());
}

TEST(SaveAt, LastReadsEveryModelOutAfterItsOwnDepth) {
  const auto model = make_model(setting("add"), kSeeds, DType::f32);
  ModelRun run(*model);
  Plan plan = plan_of("1..6");
  const Trajectory& out = run.forward(Data(kSeeds, 2).inputs(), plan);
  for (int m = 0; m < 3; ++m) {
    int times = 0;
    for (const Readout& y : out.readouts) {
      const bool listed =
          y.models.empty() || std::find(y.models.begin(), y.models.end(), m) != y.models.end();
      times += listed ? 1 : 0;
      EXPECT_TRUE(!listed || y.r == out.depth[static_cast<size_t>(m)]);
    }
    EXPECT_EQ(times, 1) << m;
  }
}

TEST(SaveAt, SavedStatesAreWhatAnObserverSees) {
  const auto model = make_two_level(kSeeds, DType::f32);
  const Data data(kSeeds, 2);
  Plan plan = plan_of("2", Readouts::none);
  plan.save.states = {0, 1, 3, 6};
  ModelRun a(*model);
  const Trajectory& out = a.forward(data.inputs(), plan);
  std::vector<std::vector<std::byte>> seen(7);
  Plan watched = plan_of("2", Readouts::none);
  watched.on_update = [&](const Update& u) {
    seen[static_cast<size_t>(u.r)] = state_bytes(u.h, model->schedule());
  };
  ModelRun b(*model);
  b.forward(data.inputs(), watched);
  ASSERT_EQ(out.states.size(), 4u);
  for (size_t i = 1; i < out.states.size(); ++i) {
    EXPECT_EQ(state_bytes(out.states[i].second, model->schedule()),
              seen[static_cast<size_t>(out.states[i].first)]);
  }
}

/// ||h_r - h_(r-1)|| / ||h_r|| in plain double loops.
double plain_residual(const Tensor& now, const Tensor& before, int64_t m, int64_t b) {
  const int64_t size = now.dim(2) * now.dim(3);
  double change = 0;
  double norm = 0;
  for (int64_t i = 0; i < size; ++i) {
    const int64_t at = (m * now.dim(1) + b) * size + i;
    const double x = now.as<double>()[at];
    change += (x - before.as<double>()[at]) * (x - before.as<double>()[at]);
    norm += x * x;
  }
  return std::sqrt(change / norm);
}

TEST(SaveAt, ResidualIsTheRelativeChangeOfEveryRowUnderEveryGradient) {
  const auto model = make_model(setting("add"), kSeeds, DType::f64);
  for (const Gradient g : {Gradient{},
                           Gradient{Gradient::Kind::full, 1},
                           Gradient{Gradient::Kind::last_k, 2},
                           Gradient{Gradient::Kind::checkpoint, 3}}) {
    Plan plan = plan_of("4", Readouts::last, g);
    plan.save.residual = true;
    plan.save.states = {0, 1, 2, 3, 4};
    ModelRun run(*model);
    const Trajectory& out = run.forward(Data(kSeeds, 2).inputs(), plan);
    ASSERT_EQ(out.residual.shape, (Shape{4, 3, 2}));
    EXPECT_EQ(out.updates_run, 4);
    for (int64_t r = 1; r <= 4; ++r) {
      for (int64_t cell = 0; cell < 6; ++cell) {
        const double want = plain_residual(out.states[static_cast<size_t>(r)].second[0].value(),
                                           out.states[static_cast<size_t>(r) - 1].second[0].value(),
                                           cell / 2,
                                           cell % 2);
        EXPECT_NEAR(out.residual.as<double>()[(r - 1) * 6 + cell], want, 1e-12);
      }
    }
  }
}

TEST(Unroll, RefusesMoreUpdatesThanAnUntiedModelHas) {
  const auto model = make_model(setting("feedforward"), kSeeds, DType::f32);
  ModelRun run(*model);
  EXPECT_NO_THROW(run.forward(Data(kSeeds, 2).inputs(), plan_of("6")));
  EXPECT_THROW(run.forward(Data(kSeeds, 2).inputs(), plan_of("7")), Error);
}

void expect_flat_memory(Reasoner& model, const Plan& plan, int updates) {
  const Data data(kSeeds, 2);
  ModelRun run(model);
  Plan start = plan;
  start.depth = Depth::fixed(100);
  run.forward(data.inputs(), start);
  const size_t reserved = run.arena().reserved();
  const size_t resident = resident_bytes();
  Plan longer = plan;
  longer.depth = Depth::fixed(updates);
  EXPECT_EQ(run.forward(data.inputs(), longer).updates_run, updates);
  EXPECT_EQ(run.arena().reserved(), reserved);
  if (!kSanitized) {  // they keep freed memory in quarantine, so resident memory says nothing
    EXPECT_LE(resident_bytes(), resident + (size_t{1} << 20));
  }
}

TEST(FlatMemory, AHundredThousandUpdates) {
  const auto model = make_model(setting("add"), kSeeds, DType::f32);
  expect_flat_memory(*model, plan_of("1"), 100000);
}

TEST(FlatMemory, AnObserverAndAHaltingRuleDoNotChangeIt) {
  const auto model = make_model(setting("add"), kSeeds, DType::f32);
  Plan watched = plan_of("1", Readouts::every);
  watched.on_update = [](const Update&) {};
  expect_flat_memory(*model, watched, 5000);
  Plan halting = plan_of("1");
  halting.halt = {Halt::Kind::divergence, 0, 1};
  expect_flat_memory(*model, halting, 5000);
}

TEST(Depth, IsDrawnByTheModelsSeedAndStep) {
  for (const char* text : {"2..4", "1,2,4", "poisson:6"}) {
    const Depth d = Depth::parse(text);
    EXPECT_EQ(d.text(), text);
    int differ = 0;
    for (uint64_t step = 0; step < 100; ++step) {
      const int first = d.draw(5, step);
      EXPECT_EQ(first, Depth::parse(text).draw(5, step));
      EXPECT_GE(first, 1);
      EXPECT_LE(first, d.max);
      differ += first != d.draw(6, step) ? 1 : 0;
    }
    EXPECT_GT(differ, 20) << text;
  }
}

std::vector<int> histogram(const Depth& d, int draws) {
  std::vector<int> count(static_cast<size_t>(d.max) + 1, 0);
  for (int i = 0; i < draws; ++i) {
    ++count[static_cast<size_t>(d.draw(9, static_cast<uint64_t>(i)))];
  }
  return count;
}

TEST(Depth, FrequenciesAreThoseOfTheLaw) {
  constexpr int kDraws = 30000;
  const std::vector<int> uniform = histogram(Depth::parse("2..4"), kDraws);
  EXPECT_EQ(uniform[1], 0);
  // Five standard deviations of a binomial with p = 1/3.
  const double slack = 5 * std::sqrt(kDraws * (1.0 / 3) * (2.0 / 3));
  for (const size_t r : {2u, 3u, 4u}) {
    EXPECT_NEAR(uniform[r], kDraws / 3.0, slack);
  }
  const std::vector<int> list = histogram(Depth::parse("1,2,6"), kDraws);
  EXPECT_EQ(list[3] + list[4] + list[5], 0);
  EXPECT_NEAR(list[6], kDraws / 3.0, slack);
}

/// The log-normal has mean 6 and variance 36 (e^0.25 - 1), so the count has mean 7 and variance 6 +
/// 10.2; the cut at 24 takes off a little.
TEST(Depth, LogNormalPoissonHasItsMeanAndSpread) {
  constexpr int kDraws = 30000;
  const std::vector<int> count = histogram(Depth::parse("poisson:6"), kDraws);
  double mean = 0;
  double square = 0;
  for (size_t r = 0; r < count.size(); ++r) {
    mean += static_cast<double>(r) * count[r] / kDraws;
    square += static_cast<double>(r * r) * count[r] / kDraws;
  }
  EXPECT_NEAR(mean, 7, 0.15);
  EXPECT_NEAR(square - mean * mean, 16.2, 1.2);
}

TEST(Depth, GrowsAtItsStepsAndIsDeepestInEvaluation) {
  const Depth d = Depth::parse("2@0,4@500,8@1500");
  EXPECT_EQ(d.text(), "2@0,4@500,8@1500");
  EXPECT_EQ(d.max, 8);
  for (const auto& [step, depth] : {std::pair{0, 2}, {499, 2}, {500, 4}, {1499, 4}, {1500, 8}}) {
    EXPECT_EQ(d.draw(3, static_cast<uint64_t>(step)), depth) << step;
  }
  EXPECT_EQ(d.draw(3, kEvaluation), 8);
}

/// Inner updates that a training step does not make yet leave the state as it is.
TEST(GrowingRounds, MakeTheInnerUpdatesOfTheirStep) {
  ModelSettings s = setting("trm");
  s.inner = "1@0,3@10";
  const std::vector<uint64_t> seeds = {3, 7};
  const auto model = make_model(s, seeds, DType::f32);
  const Data data(seeds, 2);
  for (const auto& [step, made] :
       {std::pair{uint64_t{9}, 1}, {uint64_t{10}, 3}, {kEvaluation, 3}}) {
    Plan plan = plan_of("1");
    plan.step = step;
    plan.save.states = {0, 1, 2, 3, 4};
    ModelRun run(*model);
    const Trajectory& out = run.forward(data.inputs(), plan);
    for (int r = 1; r <= 4; ++r) {
      const auto at = [&](int i) { return out.states[static_cast<size_t>(i)].second; };
      const int part = r == 4 ? 1 : 0;
      const bool same = same_bits(at(r)[part].value(), at(r - 1)[part].value());
      EXPECT_EQ(same, r < 4 && r > made) << "step " << step << ", update " << r;
    }
  }
}

TEST(Depth, RefusesWhatItDoesNotUnderstand) {
  for (const char* text : {"",
                           "0",
                           "4..2",
                           "1,,2",
                           "poisson:",
                           "2...4",
                           "two",
                           "3x",
                           "2@5",
                           "2@0,4",
                           "2@0,4@0",
                           "2@0,0@5",
                           "@0",
                           "2@"}) {
    EXPECT_THROW(Depth::parse(text), Error) << text;
  }
}

}  // namespace
}  // namespace sv::models_test
