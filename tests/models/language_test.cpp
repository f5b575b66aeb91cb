// What recurrent_depth and exit_gate promise beyond the laws of all models.
#include <algorithm>
#include <cmath>

#include "kernels/memory/copy.h"
#include "models/model_fixture.h"
#include "models/parts/parts.h"
#include "models/train_fixture.h"

namespace sv::models_test {
namespace {

std::vector<double> numbers(const Tensor& x) {
  std::vector<double> out(static_cast<size_t>(x.numel()));
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = element(x, static_cast<int64_t>(i));
  }
  return out;
}

/// h_0 of a batch.
std::vector<double> start_of(const ModelSettings& s, int rows) {
  const auto model = make_model(s, {5}, DType::f64);
  const Data data({5}, rows);
  Plan plan = plan_of("1");
  plan.save.states = {0};
  ModelRun run(*model);
  return numbers(run.forward(data.inputs(), plan).states[0].second[0].value());
}

TEST(RecurrentDepth, StartsFromACutNormalOfVarianceTwoFifths) {
  const std::vector<double> h = start_of(setting("huginn"), 200);  // 8000 numbers
  double sum = 0, squares = 0, largest = 0;
  for (const double x : h) {
    sum += x, squares += x * x, largest = std::max(largest, std::abs(x));
  }
  const auto n = static_cast<double>(h.size());
  const double std_dev = std::sqrt(0.4) * truncated_std(3);
  EXPECT_NEAR(sum / n, 0, 4 * std_dev / std::sqrt(n));
  EXPECT_NEAR(std::sqrt(squares / n), std_dev, 4 * std_dev / std::sqrt(2 * n));
  EXPECT_LE(largest, 3 * std::sqrt(0.4));
  // No two rows or positions alike.
  EXPECT_FALSE(std::equal(h.begin(), h.begin() + 8, h.begin() + 8));
  EXPECT_FALSE(std::equal(h.begin(), h.begin() + 40, h.begin() + 40));
}

TEST(RecurrentDepth, AScaleOfZeroIsTheZeroStart) {
  ModelSettings s = setting("huginn");
  s.init_scale = 0;
  const std::vector<double> scaled = start_of(s, 2);
  EXPECT_TRUE(std::ranges::all_of(scaled, [](double x) { return x == 0; }));
  s.init_scale = 1, s.init = "zero";
  EXPECT_EQ(start_of(s, 2), scaled);
}

/// h <- exp(-Delta exp(A)) h + Delta (B e) with e = 0 shrinks in every channel, whatever was
/// learned.
TEST(Decay, TheStateShrinksWhateverIsLearned) {
  for (const double learned : {-3.0, 0.0, 3.0}) {
    Params params({1, 2}, DType::f64);
    const parts::Inject inject(params, "inject", "decay", 4);
    for (const char* name : {"inject.log_rate", "inject.step_bias"}) {
      const Tensor& x = params[params.find(name)].value;
      std::fill_n(x.as<double>(), x.numel(), learned);
    }
    Arena arena;
    Tape tape({&arena, 1, {}}, false);
    Pass pass{tape, params};
    pass.r = 1;
    const Tensor zero = make_tensor(arena, {2, 1, 3, 4}, DType::f64);
    const Tensor ones = make_tensor(arena, zero.shape, DType::f64);
    zero.zero();
    std::fill_n(ones.as<double>(), ones.numel(), 1.0);
    Var h = tape.constant(ones);
    for (int r = 1; r <= 50; ++r) {
      const std::vector<double> before = numbers(h.value());
      h = inject(pass, h, tape.constant(zero));
      const std::vector<double> after = numbers(h.value());
      for (size_t i = 0; i < after.size(); ++i) {
        ASSERT_TRUE(after[i] >= 0 && (after[i] < before[i] || before[i] < 1e-300))
            << learned << ", r = " << r;
      }
    }
  }
}

TEST(Decay, StartsWithTheRootOfOneFifthAndTheIdentity) {
  Params params({1}, DType::f64);
  const parts::Inject inject(params, "inject", "decay", 3);
  Arena arena;
  Tape tape({&arena, 1, {}}, false);
  Pass pass{tape, params};
  pass.r = 1;
  const Tensor h = make_tensor(arena, {1, 1, 1, 3}, DType::f64),
               e = make_tensor(arena, h.shape, h.dtype);
  for (int i = 0; i < 3; ++i) {
    h.as<double>()[i] = 1;
    e.as<double>()[i] = i;
  }
  const std::vector<double> got = numbers(inject(pass, tape.constant(h), tape.constant(e)).value());
  for (int i = 0; i < 3; ++i) {  // Delta = log(5) / 2
    EXPECT_NEAR(got[static_cast<size_t>(i)], std::sqrt(0.2) + i * 0.5 * std::log(5.0), 1e-12);
  }
}

TEST(RecurrentDepth, RefusesAStateThatNeverSeesTheInput) {
  ModelSettings s = setting("huginn");
  s.injection = "none";
  EXPECT_THROW(make_model(s, {1}, DType::f32), Error);
  s = setting("huginn");
  s.init = "input";
  EXPECT_THROW(make_model(s, {1}, DType::f32), Error);
}

TrainCase gate_case(const std::string& name) {
  TrainCase c = tiny_case();
  c.model = setting(name);
  c.depth = "3";
  c.ood_size = 7;
  c.train.supervision = "expected";
  c.train.prior = "uniform";
  c.train.kl_weight = 0.1;
  c.train.weight_decay = 0.1;
  c.train.gate_only = 6;
  return c;
}

/// Values of the parameters of the gate, or of all others.
std::vector<double> values(const Params& params, bool gate) {
  std::vector<double> out;
  for (const Param& p : params) {
    if (p.halting == gate) {
      const std::vector<double> more = numbers(p.value);
      out.insert(out.end(), more.begin(), more.end());
    }
  }
  return out;
}

TEST(GateOnly, FreezesAllButTheGateFromItsStepOn) {
  for (const char* name : {"exit_gate", "exit_gate_row"}) {
    for (const char* supervision : {"expected", "last", "every"}) {
      TrainCase c = gate_case(name);
      c.train.supervision = supervision;
      Training run(c, {3, 7});
      run.steps(0, 5);
      const auto early = values(run.model->params(), false);
      run.steps(5, 6);
      const auto backbone = values(run.model->params(), false);
      const auto gate = values(run.model->params(), true);
      EXPECT_NE(early, backbone);
      run.steps(6, 12);
      EXPECT_EQ(values(run.model->params(), false), backbone) << name << " " << supervision;
      EXPECT_NE(values(run.model->params(), true), gate) << name << " " << supervision;
    }
  }
}

TEST(GateOnly, ASeedAloneHasTheBitsItHasInAPack) {
  for (const char* name : {"exit_gate", "exit_gate_row"}) {
    const TrainCase c = gate_case(name);
    Training pack(c, {3, 7, 9}, 2), alone(c, {7});
    pack.steps(0, 12);
    alone.steps(0, 12);
    EXPECT_EQ(values_of(pack.model->params(), 1), values_of(alone.model->params(), 0)) << name;
  }
}

}  // namespace
}  // namespace sv::models_test
