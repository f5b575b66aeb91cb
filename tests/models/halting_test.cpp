// Halting: what a stopped row leaves behind, and leaving rows out. (What each rule decides:
// halt_rule_test.cpp.)
#include <algorithm>

#include "models/model_fixture.h"
#include "models/train/settings.h"

namespace sv::models_test {
namespace {

using Readouts = SaveAt::Readouts;

const std::vector<uint64_t> kSeeds = {3, 7, 8};

/// A plan that halts rows at different updates.
Plan halting(const Halt& rule, const std::string& depth = "30") {
  static const std::vector<int> periods = {4, 9, 1, 30, 12, 40, 2, 7};
  Plan plan = plan_of(depth);
  plan.halt = rule;
  plan.periods = &periods;
  return plan;
}

const std::vector<Halt> kRules = {{Halt::Kind::change, 0.05, 1},
                                  {Halt::Kind::divergence, 1e-4, 1},
                                  {Halt::Kind::entropy, 1e-3, 1},
                                  {Halt::Kind::learned, 0.0, 1},
                                  {Halt::Kind::sample, 0, 1},
                                  {Halt::Kind::cdf, 0.9, 1},
                                  {Halt::Kind::patience, 3, 1},
                                  {Halt::Kind::oracle, 0, 1}};

class StoppedRows : public testing::TestWithParam<Halt> {
 protected:
  StoppedRows() : model_(make_model(setting("halt_head"), kSeeds, DType::f32)) {
    if (GetParam().needs_score()) {
      centre_scores();
    }
  }
  /// The start bias of -3 would never halt: the median row of each model is to stop at update 3.
  void centre_scores() {
    ModelRun run(*model_);
    const Tensor score = run.forward(data_.inputs(), plan_of("3")).readouts.at(0).halt.value();
    const Tensor& bias = model_->params()[model_->params().find("halt.bias")].value;
    for (int m = 0; m < 3; ++m) {
      std::vector<float> rows(score.as<float>() + m * 8, score.as<float>() + m * 8 + 8);
      std::sort(rows.begin(), rows.end());
      bias.as<float>()[m] -= (rows[3] + rows[4]) / 2;
    }
  }
  std::unique_ptr<Reasoner> model_;
  Data data_{kSeeds, 8, true};
};

TEST_P(StoppedRows, RowsStopAtDifferentUpdatesAndStoppedRowsCostNothing) {
  ModelRun run(*model_);
  const Trajectory& out = run.forward(data_.inputs(), halting(GetParam()));
  EXPECT_LT(*std::min_element(out.steps.begin(), out.steps.end()),
            *std::max_element(out.steps.begin(), out.steps.end()));
  int64_t made = 0;
  for (const int s : out.steps) {
    made += s;
  }
  EXPECT_LT(out.row_updates, 3 * 8 * 30);
  EXPECT_LT(out.row_updates, 3 * 8 * out.updates_run);
  EXPECT_GE(out.row_updates, made);
}

/// An observer keeps every row at its place; without one stopped rows are left out.
TEST_P(StoppedRows, CompactionChangesNoBit) {
  ModelRun a(*model_);
  const Trajectory& compact = a.forward(data_.inputs(), halting(GetParam()));
  Plan watched = halting(GetParam());
  watched.on_update = [](const Update&) {};
  ModelRun b(*model_);
  const Trajectory& full = b.forward(data_.inputs(), watched);
  EXPECT_EQ(compact.steps, full.steps);
  EXPECT_TRUE(same_bits(compact.final[0].value(), full.final[0].value()));
  EXPECT_TRUE(same_bits(compact.exit_logits, full.exit_logits));
  EXPECT_LT(compact.row_updates, full.row_updates);
}

TEST_P(StoppedRows, AStoppedRowKeepsItsStateAndItsReadoutBitForBit) {
  Plan plan = halting(GetParam());
  std::vector<std::vector<std::byte>> states(31);
  plan.on_update = [&](const Update& u) {
    states[static_cast<size_t>(u.r)] = bytes_of(u.h[0].value());
  };
  ModelRun run(*model_);
  const Trajectory& out = run.forward(data_.inputs(), plan);
  const Tensor last = out.final[0].value();
  const size_t row = last.bytes() / out.steps.size();
  Plan all = plan_of("30", Readouts::every);
  ModelRun free(*model_);
  const Trajectory& endless = free.forward(data_.inputs(), all);
  for (size_t cell = 0; cell < out.steps.size(); ++cell) {
    const auto at = static_cast<size_t>(out.steps[cell]);
    for (size_t r = at; r <= 30 && !states[r].empty(); ++r) {
      EXPECT_EQ(std::memcmp(states[r].data() + cell * row, states[at].data() + cell * row, row), 0);
    }
    EXPECT_EQ(
        std::memcmp(
            static_cast<std::byte*>(last.data) + cell * row, states[at].data() + cell * row, row),
        0);
    // The readout it leaves is the one an endless run makes at that update.
    const Tensor want = endless.readouts.at(at - 1).logits.value();
    const size_t size = want.bytes() / out.steps.size();
    EXPECT_EQ(std::memcmp(static_cast<std::byte*>(out.exit_logits.data) + cell * size,
                          static_cast<std::byte*>(want.data) + cell * size,
                          size),
              0);
  }
}

TEST_P(StoppedRows, NoRowStopsBeforeTheMinimumDepth) {
  Halt rule = GetParam();
  rule.min_depth = 9;
  ModelRun run(*model_);
  const Trajectory& out = run.forward(data_.inputs(), halting(rule));
  EXPECT_GE(*std::min_element(out.steps.begin(), out.steps.end()), 9);
}

std::string rule_name(const testing::TestParamInfo<Halt>& tested) {
  return kHaltRules.at(static_cast<size_t>(tested.param.kind));
}
INSTANTIATE_TEST_SUITE_P(Rules, StoppedRows, testing::ValuesIn(kRules), rule_name);

TEST(Halting, SavedStatesAndResidualsKeepRowsAtTheirPlaces) {
  const auto model = make_model(setting("add"), kSeeds, DType::f32);
  const Data data(kSeeds, 8);
  Plan plan = halting({Halt::Kind::change, 0.05, 1});
  plan.save.states = {0, 1, 20};
  plan.save.residual = true;
  ModelRun run(*model);
  const Trajectory& out = run.forward(data.inputs(), plan);
  Plan free = plan_of("30");
  free.save.states = {0, 1};
  free.save.residual = true;
  ModelRun other(*model);
  const Trajectory& endless = other.forward(data.inputs(), free);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_TRUE(
        same_bits(out.states.at(i).second[0].value(), endless.states.at(i).second[0].value()));
  }
  for (size_t r = 1; r <= static_cast<size_t>(out.updates_run); ++r) {
    for (size_t cell = 0; cell < out.steps.size(); ++cell) {
      const auto at = static_cast<int64_t>((r - 1) * out.steps.size() + cell);
      const float want =
          out.steps[cell] >= static_cast<int>(r) ? endless.residual.as<float>()[at] : 0.0f;
      EXPECT_EQ(out.residual.as<float>()[at], want) << "update " << r << ", cell " << cell;
    }
  }
}

TEST(Halting, ARunOfSomeModelsOfThePackHaltsLikeTheWholePack) {
  const auto model = make_model(setting("halt_head"), kSeeds, DType::f32);
  const Data data(kSeeds, 8, true);
  const Plan plan = halting({Halt::Kind::change, 0.05, 1});
  ModelRun whole(*model);
  const Trajectory& all = whole.forward(data.inputs(), plan);
  const std::vector<int> some = {1, 2};
  Arena arena;
  Tape tape({&arena, 1, some}, false);
  Trajectory out;
  unroll(*model, data.inputs(), plan, tape, out);
  // Without compaction every live model computes all eight rows of every update.
  const auto last = [&](int m) {
    return *std::max_element(out.steps.begin() + m * 8, out.steps.begin() + m * 8 + 8);
  };
  EXPECT_LT(out.row_updates, 8 * (last(1) + last(2))) << "no row was left out";
  for (const int m : some) {
    EXPECT_TRUE(same_bits(out.final[0].value().slice(m, 1), all.final[0].value().slice(m, 1)));
    EXPECT_TRUE(same_bits(out.exit_logits.slice(m, 1), all.exit_logits.slice(m, 1)));
    EXPECT_TRUE(std::equal(
        out.steps.begin() + m * 8, out.steps.begin() + m * 8 + 8, all.steps.begin() + m * 8));
  }
}

TEST(Halting, IsRefusedTogetherWithAGradientOrWithoutAHead) {
  const auto model = make_model(setting("add"), kSeeds, DType::f32);
  const Data data(kSeeds, 2);
  Plan plan = halting({Halt::Kind::change, 0.05, 1});
  plan.gradient.kind = Gradient::Kind::full;
  ModelRun run(*model);
  EXPECT_THROW(run.forward(data.inputs(), plan), Error);
  for (const auto kind : {Halt::Kind::learned, Halt::Kind::sample, Halt::Kind::cdf}) {
    EXPECT_THROW(run.forward(data.inputs(), halting({kind, 0.5, 1})), Error);
  }
  Plan oracle = halting({Halt::Kind::oracle, 0, 1});
  oracle.periods = nullptr;
  EXPECT_THROW(run.forward(data.inputs(), oracle), Error);
  const std::vector<int> one = {3};
  oracle.periods = &one;
  EXPECT_THROW(run.forward(data.inputs(), oracle), Error) << "the second row has no periods";
}

}  // namespace
}  // namespace sv::models_test
