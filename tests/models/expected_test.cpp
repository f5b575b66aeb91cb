// Objective expected: against its definition, written out with probabilities instead of logarithms,
// for a score per row and per position; and for packs whose models make different numbers of
// updates.
#include <cmath>

#include "models/model_fixture.h"
#include "models/train/carry.h"
#include "models/train_fixture.h"

namespace sv::models_test {
namespace {

/// One forward and backward run of a pack over a drawn batch under the objective.
class ExpectedRun {
 public:
  ExpectedRun(const ModelSettings& settings,
              const std::vector<uint64_t>& seeds,
              const std::string& depth,
              TrainSettings train = {})
      : train_(std::move(train)),
        data_(Training::make_parity(tiny_case()), Split::train, 0, 24),
        model_(make_reasoner({settings, data_.task().spec(), seeds, DType::f64})) {
    disturb(model_->params());
    train_.supervision = "expected";
    const auto objective = make_objective(train_);
    data_.draw(seeds, 4, 3, batch_);
    const Inputs inputs = load_inputs(tape_.ctx, batch_);
    Plan plan = plan_of(depth, objective->readouts(), {Gradient::Kind::full, 1});
    plan.step = 4;
    unroll(*model_, inputs, plan, tape_, out_);
    model_->params().zero_grad();
    const Carry carry(*model_, data_, train_);
    std::vector<AddedLoss> added;
    OwnRun own;
    Supervised s{tape_, *model_, inputs, plan, out_, batch_, {0, 3}, train_, added, carry, own};
    objective->supervise(0, s);
    tape_.ctx.models = {};
    tape_.backward();
    loss_.assign(seeds.size(), 0);
    for (const AddedLoss& a : added) {
      for (size_t m = 0; m < seeds.size(); ++m) {
        const bool of = a.who.empty() || std::ranges::count(a.who, static_cast<int>(m)) > 0;
        loss_[m] += of ? a.loss.as<double>()[m] : 0;
      }
    }
  }

  double loss(int m) const { return loss_[static_cast<size_t>(m)]; }
  std::vector<double> gradients(int m) const { return gradients_of(model_->params(), m); }
  /// The same loss from its definition.
  double defined(int m) const {
    const int period = model_->schedule().period();
    const int last = out_.depth[static_cast<size_t>(m)];
    double total = 0;
    int scored = 0;
    for (int b = 0; b < 3; ++b) {
      for (int t = 0; t < batch_.positions; ++t) {
        scored += batch_.target(m, b, 1)[t] >= 0 ? 1 : 0;
      }
    }
    for (int b = 0; b < 3; ++b) {
      for (int t = 0; t < batch_.positions; ++t) {
        const int target = batch_.target(m, b, 1)[t];
        double stay = 1;
        for (const Readout& y : out_.readouts) {
          const bool by_position = y.halt.shape().rank() == 3;
          const bool counts = y.r <= last && y.r % period == 0;
          if (!counts || (by_position ? target < 0 : false)) {
            continue;
          }
          const int64_t row = int64_t{m} * 3 + b, cell = row * batch_.positions + t;
          const double q = y.halt.value().as<double>()[by_position ? cell : row];
          const double rate = y.r == last ? 1 : 1 / (1 + std::exp(-q));
          const double p = stay * rate;
          stay *= 1 - rate;
          total += target >= 0 ? p * nll(y, cell, target) / scored : 0;
          if (by_position || t == 0) {  // once a row
            const double g = prior(y.r / period, last / period);
            total += train_.kl_weight * p * std::log(p / g) / (by_position ? scored : 3);
          }
        }
      }
    }
    return total;
  }

 private:
  static double nll(const Readout& y, int64_t cell, int target) {
    const Tensor logits = y.logits.value();
    const int64_t answers = logits.shape[-1];
    double sum = 0;
    for (int64_t v = 0; v < answers; ++v) {
      sum += std::exp(logits.as<double>()[cell * answers + v]);
    }
    return std::log(sum) - logits.as<double>()[cell * answers + target];
  }
  double prior(int n, int last) const {
    if (train_.prior == "uniform") {
      return 1.0 / last;
    }
    const double rate = train_.prior_rate;
    return rate * std::pow(1 - rate, n - 1) / (1 - std::pow(1 - rate, last));
  }

  TrainSettings train_;
  Dataset data_;
  std::unique_ptr<Reasoner> model_;
  Arena arena_{size_t{1} << 20};
  Tape tape_{Context{&arena_, 1, {}}, true};
  Batch batch_;
  Trajectory out_;
  std::vector<double> loss_;
};

TEST(Expected, IsTheDefinedLossForAScorePerRowAndPerPosition) {
  for (const std::string name : {"ponder", "ponder_block", "universal"}) {
    for (const std::string prior : {"geometric", "uniform"}) {
      TrainSettings train;
      train.prior = prior;
      train.kl_weight = 0.3;
      const ExpectedRun run(setting(name), {3, 7}, "5", train);
      for (const int m : {0, 1}) {
        EXPECT_NEAR(run.loss(m), run.defined(m), 1e-12 * run.defined(m)) << name << ", " << prior;
      }
    }
  }
}

TEST(Expected, ModelsOfDifferentDepthHaveTheBitsTheyHaveAlone) {
  const std::vector<uint64_t> seeds = {3, 7, 8, 11};
  const ExpectedRun pack(setting("ponder"), seeds, "1..5");
  for (size_t m = 0; m < seeds.size(); ++m) {
    const ExpectedRun alone(setting("ponder"), {seeds[m]}, "1..5");
    EXPECT_EQ(pack.loss(static_cast<int>(m)), alone.loss(0)) << "seed " << seeds[m];
    EXPECT_EQ(pack.gradients(static_cast<int>(m)), alone.gradients(0)) << "seed " << seeds[m];
  }
}

TEST(Expected, ScoresFarFromZeroKeepTheLossFinite) {
  ModelSettings s = setting("ponder");
  for (const double bias : {-100.0, 100.0}) {
    s.halt_bias = bias;
    const ExpectedRun run(s, {3}, "6");
    EXPECT_TRUE(std::isfinite(run.loss(0))) << bias;
    for (const double g : run.gradients(0)) {
      EXPECT_TRUE(std::isfinite(g)) << bias;
    }
  }
}

TEST(Expected, NeedsAScore) {
  EXPECT_THROW(ExpectedRun(setting("add"), {3}, "3"), Error);
}

}  // namespace
}  // namespace sv::models_test
