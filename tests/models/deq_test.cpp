// Fixed points: solvers find the one that damped iteration finds, with fewer evaluations; the
// implicit gradient is that of the unrolled run once both have converged.
#include <cmath>

#include "models/model_fixture.h"

namespace sv::models_test {
namespace {

const std::vector<uint64_t> kSeeds = {3, 7};

/// A deq whose F is a contraction: the matrices of its blocks are small.
std::unique_ptr<Reasoner> contraction(const std::string& solver, int memory = 5) {
  ModelSettings s = setting("deq");
  s.solver = solver;
  s.solver_memory = memory;
  s.damping = 1;
  auto model = make_model(s, kSeeds, DType::f64);
  for (Param& p : model->params()) {
    const Tensor& x = p.value;
    if (p.name.starts_with("core.") && p.decay) {
      for (int64_t i = 0; i < x.numel(); ++i) {
        x.as<double>()[i] *= 0.4;
      }
    }
  }
  return model;
}

/// Best F(z) after `depth` updates.
std::vector<double> best_after(Reasoner& model, const Data& data, int depth) {
  ModelRun run(model);
  const Trajectory& out = run.forward(data.inputs(), plan_of(std::to_string(depth)));
  const Tensor best = out.final[1].value();
  return {best.as<double>(), best.as<double>() + best.numel()};
}

double distance(const std::vector<double>& a, const std::vector<double>& b) {
  double moved = 0, size = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    moved += (a[i] - b[i]) * (a[i] - b[i]);
    size += b[i] * b[i];
  }
  return std::sqrt(moved / size);
}

std::vector<std::vector<double>> gradients_after(Reasoner& model,
                                                 const Data& data,
                                                 int depth,
                                                 Gradient gradient) {
  ModelRun run(model);
  run.loss(data, plan_of(std::to_string(depth), SaveAt::Readouts::last, gradient), true);
  std::vector<std::vector<double>> out;
  for (const Param& p : model.params()) {
    const Tensor& g = p.grad;
    out.emplace_back(g.as<double>(), g.as<double>() + g.numel());
  }
  return out;
}

TEST(Deq, EverySolverFindsTheFixedPoint) {
  const Data data(kSeeds, 3);
  const std::vector<double> far = best_after(*contraction("damped"), data, 400);
  for (const char* solver : {"anderson", "broyden"}) {
    EXPECT_LT(distance(best_after(*contraction(solver), data, 60), far), 1e-9) << solver;
  }
}

TEST(Deq, AndersonNeedsFewerUpdatesThanDamping) {
  const Data data(kSeeds, 3);
  const std::vector<double> far = best_after(*contraction("damped"), data, 400);
  const double plain = distance(best_after(*contraction("damped"), data, 12), far);
  EXPECT_LT(distance(best_after(*contraction("anderson"), data, 12), far), 0.1 * plain);
}

TEST(Deq, TheBestIterateIsKeptWhereIterationDiverges) {
  ModelSettings s = setting("deq");
  s.solver = "anderson";
  const auto model = make_model(s, kSeeds, DType::f64);
  const Data data(kSeeds, 3);
  ModelRun run(*model);
  double least = 1e300;
  for (int depth = 1; depth <= 12; ++depth) {
    const Trajectory& out = run.forward(data.inputs(), plan_of(std::to_string(depth)));
    const double score = out.final[2].value().as<double>()[0];
    EXPECT_LE(score, least) << depth;
    EXPECT_TRUE(std::isfinite(score));
    least = score;
  }
}

TEST(Deq, ImplicitGradientEqualsTheUnrolledOneAtConvergence) {
  const Data data(kSeeds, 3);
  const auto unrolled =
      gradients_after(*contraction("damped"), data, 150, {Gradient::Kind::full, 1});
  for (const char* solver : {"damped", "anderson", "broyden"}) {
    const auto model = contraction(solver);
    const auto implicit = gradients_after(*model, data, 150, {Gradient::Kind::implicit, 150});
    for (size_t i = 0; i < unrolled.size(); ++i) {
      EXPECT_LT(distance(implicit[i], unrolled[i]), 1e-8)
          << solver << ", " << model->params()[static_cast<ParamId>(i)].name;
    }
  }
}

/// Few iterations are not enough: the test above could fail.
TEST(Deq, OneIterationIsAnotherGradient) {
  const Data data(kSeeds, 3);
  const auto model = contraction("damped");
  const auto many = gradients_after(*model, data, 150, {Gradient::Kind::implicit, 150});
  const auto one = gradients_after(*model, data, 150, {Gradient::Kind::implicit, 1});
  double largest = 0;
  for (size_t i = 0; i < many.size(); ++i) {
    largest = std::max(largest, distance(one[i], many[i]));
  }
  EXPECT_GT(largest, 1e-3);
}

TEST(Deq, ASolverWithoutGradientIsRefusedByName) {
  const auto model = contraction("anderson");
  const Data data(kSeeds, 2);
  try {
    gradients_after(*model, data, 4, {Gradient::Kind::full, 1});
    FAIL() << "Anderson's method has no gradient of its own";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("train.gradient=implicit:K"), std::string::npos)
        << e.what();
  }
}

}  // namespace
}  // namespace sv::models_test
