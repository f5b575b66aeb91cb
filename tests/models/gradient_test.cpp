// Gradients of whole models: against central differences in double, and between gradient schemes.
#include <cmath>

#include "models/model_fixture.h"

namespace sv::models_test {
namespace {

using Kind = Gradient::Kind;
using Readouts = SaveAt::Readouts;

const std::vector<uint64_t> kSeeds = {3, 7};

/// d loss / d element i of a parameter, for every model at once (models do not see each other): the
/// five-point formula, error h^4.
std::vector<double> difference(
    ModelRun& run, const Data& data, const Plan& plan, Param& p, int64_t i, double step) {
  const Tensor& x = p.value;
  const int64_t stride = x.numel() / x.dim(0);
  const auto at = [&](double shift) {
    for (int64_t m = 0; m < x.dim(0); ++m) {
      x.as<double>()[m * stride + i] += shift;
    }
    std::vector<double> loss = run.loss(data, plan, false);
    for (int64_t m = 0; m < x.dim(0); ++m) {
      x.as<double>()[m * stride + i] -= shift;
    }
    return loss;
  };
  const std::vector<double> a = at(step), b = at(-step), c = at(2 * step), d = at(-2 * step);
  std::vector<double> out(a.size());
  for (size_t m = 0; m < a.size(); ++m) {
    out[m] = (8 * (a[m] - b[m]) - (c[m] - d[m])) / (12 * step);
  }
  return out;
}

constexpr double kStep = 1e-3;
constexpr double kSmallStep = 1e-6;  // rarely crosses a kink

/// Three elements of every parameter against differences, relative to the parameter's largest
/// gradient.
void expect_true_gradients(Reasoner& model,
                           const Data& data,
                           const Plan& plan,
                           double step = kStep) {
  ModelRun run(model);
  run.loss(data, plan, true);
  std::vector<std::vector<double>> grads;
  for (const Param& p : model.params()) {
    const Tensor& g = p.grad;
    grads.emplace_back(g.as<double>(), g.as<double>() + g.numel());
  }
  size_t index = 0;
  for (Param& p : model.params()) {
    const std::vector<double>& grad = grads[index++];
    if (p.fixed) {
      EXPECT_EQ(std::ranges::count(grad, 0.0), std::ssize(grad)) << p.name;
      continue;
    }
    double largest = 1e-3;
    for (const double g : grad) {
      largest = std::max(largest, std::abs(g));
    }
    const auto stride = static_cast<int64_t>(grad.size()) / model.models();
    for (const int64_t i : {int64_t{0}, stride / 3, stride - 1}) {
      const std::vector<double> want = difference(run, data, plan, p, i, step);
      for (size_t m = 0; m < want.size(); ++m) {
        const double got = grad[m * static_cast<size_t>(stride) + static_cast<size_t>(i)];
        EXPECT_NEAR(got, want[m], 1e-6 * largest) << p.name << "[" << i << "] of model " << m;
      }
    }
  }
}

/// All gradients of all models after a backward run.
std::vector<std::vector<double>> gradients(Reasoner& model, const Data& data, const Plan& plan) {
  ModelRun run(model);
  run.loss(data, plan, true);
  std::vector<std::vector<double>> out;
  for (int m = 0; m < model.models(); ++m) {
    out.push_back(gradients_of(model.params(), m));
  }
  return out;
}

/// The gradients of model m in a run that stops after R - k updates and goes on from the copied
/// state.
std::vector<double> detached(Reasoner& model, const Data& data, int depth, int k) {
  ModelRun before(model);
  const int from = depth * model.schedule().period() - k;
  Plan plan = plan_of(std::to_string(depth));
  plan.save.readouts = Readouts::none;
  plan.save.states = {from};
  const State& h = before.forward(data.inputs(), plan).states.at(0).second;
  Start start{from, {}};
  for (size_t p = 0; p < model.schedule().parts.size(); ++p) {
    start.parts[p] = h[static_cast<int>(p)].value();
  }
  Plan rest = plan_of(std::to_string(depth), Readouts::last, {Kind::full, 1});
  rest.start = &start;
  return gradients(model, data, rest).at(0);
}

class WholeModel : public testing::TestWithParam<Setting> {};

TEST_P(WholeModel, GradientMatchesCentralDifferences) {
  const auto model = make_model(GetParam().model, kSeeds, DType::f64);
  expect_true_gradients(*model,
                        Data(kSeeds, 2),
                        plan_of("3", Readouts::every, {Kind::full, 1}),
                        GetParam().kinks ? kSmallStep : kStep);
}

TEST_P(WholeModel, CheckpointedGradientEqualsTheFullOne) {
  const auto model = make_model(GetParam().model, kSeeds, DType::f64);
  const Data data(kSeeds, 2);
  for (const auto readouts : {Readouts::last, Readouts::every}) {
    const auto full = gradients(*model, data, plan_of("5", readouts, {Kind::full, 1}));
    for (const int k : {1, 2, 5, 9}) {
      EXPECT_EQ(gradients(*model, data, plan_of("5", readouts, {Kind::checkpoint, k})), full) << k;
    }
  }
}

TEST_P(WholeModel, LastKWithKOfTheWholeRunIsFull) {
  const auto model = make_model(GetParam().model, kSeeds, DType::f64);
  const Data data(kSeeds, 2);
  const int period = model->schedule().period();
  const auto full = gradients(*model, data, plan_of("4", Readouts::last, {Kind::full, 1}));
  EXPECT_EQ(gradients(*model, data, plan_of("4", Readouts::last, {Kind::last_k, 4 * period})),
            full);
  EXPECT_EQ(gradients(*model, data, plan_of("4", Readouts::last, {Kind::last_k, 100})), full);
}

TEST_P(WholeModel, LastKEqualsARunWhoseStateWasDetached) {
  const std::vector<uint64_t> seed = {7};
  const auto model = make_model(GetParam().model, seed, DType::f64);
  const Data data(seed, 2);
  for (const int k : {1, 3}) {
    const auto got = gradients(*model, data, plan_of("5", Readouts::last, {Kind::last_k, k}));
    EXPECT_EQ(got.at(0), detached(*model, data, 5, k)) << "k = " << k;
  }
}

/// One step is the last update of every part, a round all updates of the last outermost index.
TEST_P(WholeModel, OneStepAndRoundAreTheLastUpdates) {
  const auto model = make_model(GetParam().model, kSeeds, DType::f64);
  const Data data(kSeeds, 2);
  const auto of = [&](Gradient g) {
    return gradients(*model, data, plan_of("3", Readouts::last, g));
  };
  const Schedule& schedule = model->schedule();
  const int writes = schedule.together ? 1 : static_cast<int>(schedule.parts.size());
  EXPECT_EQ(of({Kind::one_step, 1}), of({Kind::last_k, writes}));
  EXPECT_EQ(of({Kind::round, 0}), of({Kind::last_k, schedule.round()}));
  EXPECT_EQ(of({Kind::round, 1}), of({Kind::last_k, schedule.round() + 1}));
}

/// A model's gradient must not depend on the depths its neighbours draw.
TEST_P(WholeModel, RaggedDepthsGiveEachModelTheGradientItHasAlone) {
  const std::vector<uint64_t> seeds = {3, 7, 8, 11};
  for (const Gradient g : {Gradient{Kind::full, 1},
                           Gradient{Kind::last_k, 2},
                           Gradient{Kind::one_step, 1},
                           Gradient{Kind::checkpoint, 2}}) {
    for (const auto readouts : {Readouts::last, Readouts::every}) {
      Plan plan = plan_of("1..5", readouts, g);
      plan.step = 4;
      const auto pack = make_model(GetParam().model, seeds, DType::f64);
      const auto together = gradients(*pack, Data(seeds, 2), plan);
      for (size_t m = 0; m < seeds.size(); ++m) {
        const auto alone = make_model(GetParam().model, {seeds[m]}, DType::f64);
        EXPECT_EQ(gradients(*alone, Data({seeds[m]}, 2), plan).at(0), together[m])
            << "seed " << seeds[m] << ", gradient kind " << static_cast<int>(g.kind);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Zoo,
                         WholeModel,
                         testing::ValuesIn(all_settings()),
                         [](const auto& tested) {
                           std::string name = tested.param.name;
                           std::erase(name, '_');
                           return name;
                         });

TEST(TwoLevelModel, GradientMatchesCentralDifferences) {
  const auto model = make_two_level(kSeeds, DType::f64);
  expect_true_gradients(*model, Data(kSeeds, 2), plan_of("2", Readouts::every, {Kind::full, 1}));
}

TEST(TwoLevelModel, CheckpointedGradientEqualsTheFullOne) {
  const auto model = make_two_level(kSeeds, DType::f64);
  const Data data(kSeeds, 2);
  const auto full = gradients(*model, data, plan_of("2", Readouts::last, {Kind::full, 1}));
  for (const int k : {1, 2, 4}) {
    EXPECT_EQ(gradients(*model, data, plan_of("2", Readouts::last, {Kind::checkpoint, k})), full);
  }
}

TEST(TwoLevelModel, OneStepReachesTheLastUpdateOfEveryPart) {
  const std::vector<uint64_t> seed = {7};
  const auto model = make_two_level(seed, DType::f64);
  const Data data(seed, 2);
  EXPECT_EQ(model->schedule().one_step(), 2);
  const auto one = gradients(*model, data, plan_of("2", Readouts::last, {Kind::one_step, 1}));
  EXPECT_EQ(one, gradients(*model, data, plan_of("2", Readouts::last, {Kind::last_k, 2})));
}

TEST(PaddedBatch, GradientMatchesCentralDifferences) {
  const auto model = make_model(setting("prelude_coda"), kSeeds, DType::f64);
  expect_true_gradients(
      *model, Data(kSeeds, 3, true), plan_of("2", Readouts::last, {Kind::full, 1}));
}

}  // namespace
}  // namespace sv::models_test
