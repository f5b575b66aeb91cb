// Training: it learns for every seed, a fault freezes its own seed and no other, averages and
// learning rates are what they say, and a plain tape model trains with the same optimiser.
#include "models/train_fixture.h"

#include <cmath>

#include "kernels/autograd/ops.h"
#include "models/model_fixture.h"
#include "models/train/watchdog.h"

namespace sv::models_test {
namespace {

const std::vector<uint64_t> kSeeds = {3, 7, 8, 11};

TEST(Learning, EverySeedOfThePackLearnsATinyTask) {
  TrainCase c = tiny_case();
  c.model.width = 16;
  c.model.hidden = 24;
  c.size = c.ood_size = 4;
  c.examples = 12;
  c.train.steps = 200;
  c.train.batch = 12;
  c.train.lr = 1e-2;
  c.depth = "2..3";
  Training run(c, kSeeds);
  run.steps(0, 1);
  const std::vector<double> first = run.trainer->stats().loss;
  run.steps(1, 200);
  for (size_t m = 0; m < kSeeds.size(); ++m) {
    EXPECT_GT(first[m], 0.5) << "seed " << kSeeds[m];
    EXPECT_LT(run.trainer->stats().loss[m], 0.1) << "seed " << kSeeds[m];
    EXPECT_GE(run.trainer->stats().accuracy[m], 0.95) << "seed " << kSeeds[m];
  }
}

/// Six steps with a fault planted in seed 7 at step 3.
struct Outcome {
  std::vector<Frozen> frozen;
  std::vector<std::vector<double>> weights;
};
Outcome train_with(const std::string& fault, const TrainCase& base) {
  TrainCase c = base;
  c.train.plant_nan = fault;
  Training run(c, kSeeds);
  Outcome out;
  for (int64_t step = 0; step < 6; ++step) {
    const size_t before = run.trainer->frozen().size();
    const auto& fresh = run.trainer->step(step);
    EXPECT_EQ(fresh.size(), run.trainer->frozen().size() - before);
    EXPECT_EQ(fresh.size(), step == 3 && !fault.empty() ? 1u : 0u) << fault << " at " << step;
  }
  out.frozen = run.trainer->frozen();
  for (int m = 0; m < 4; ++m) {
    out.weights.push_back(values_of(run.model->params(), m));
  }
  return out;
}

TrainCase fault_case() {
  TrainCase c = tiny_case();
  c.model.halt_head = true;
  c.model.prelude = c.model.coda = 1;
  c.model.layers = 2;
  c.depth = "3";
  c.train.ema = 0.9;
  return c;
}

class PlantedFault : public testing::TestWithParam<std::pair<std::string, std::string>> {};

TEST_P(PlantedFault, FreezesItsSeedWithinTheStepAndNamesThePlace) {
  const auto& [place, message] = GetParam();
  const Outcome plain = train_with("", fault_case());
  const Outcome hit = train_with("7:3:" + place, fault_case());
  ASSERT_EQ(hit.frozen.size(), 1u);
  EXPECT_EQ(hit.frozen[0].model, 1);
  EXPECT_EQ(hit.frozen[0].seed, 7u);
  EXPECT_EQ(hit.frozen[0].step, 3);
  EXPECT_NE(hit.frozen[0].what.find(message), std::string::npos) << hit.frozen[0].what;
  for (size_t m = 0; m < 4; ++m) {
    if (m != 1) {
      EXPECT_EQ(hit.weights[m], plain.weights[m]) << "a neighbour, model " << m;
    }
  }
}

const std::pair<std::string, std::string> kFaults[] = {
    {"encode.encoded", "encode.encoded (encoder, tensor encoded)"},
    {"encode.block.0.mlp_out", "encode.block.0.mlp_out (encoder, block 0, tensor mlp_out)"},
    {"loop.2.injected", "loop.2.injected (iteration 2, tensor injected)"},
    {"loop.2.block.1.mlp_out", "loop.2.block.1.mlp_out (iteration 2, block 1, tensor mlp_out)"},
    {"loop.3.block.0.attn_pattern", "loop.3.block.0.attn_pattern (iteration 3, block 0"},
    {"loop.1.state_out:h", "loop.1.state_out:h (iteration 1, tensor state_out)"},
    {"loop.3.halt", "loop.3.halt (iteration 3, tensor halt)"},
    {"readout.3.block.0.v", "readout.3.block.0.v (iteration 3, block 0, tensor v)"},
    {"readout.3.logits", "readout.3.logits (iteration 3, tensor logits)"},
    {"param.core.1.mlp.down.weight", "parameter core.1.mlp.down.weight"},
    {"grad.core.0.attn.q.weight", "gradient of parameter core.0.attn.q.weight"},
};
INSTANTIATE_TEST_SUITE_P(Places, PlantedFault, testing::ValuesIn(kFaults), [](const auto& tested) {
  std::string name = tested.param.first;
  std::erase_if(name, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; });
  return name;
});

TEST(FrozenModel, KeepsItsWeightsFromTheFaultOn) {
  TrainCase c = fault_case();
  c.train.plant_nan = "7:3:loop.2.state_out";
  Training run(c, kSeeds);
  run.steps(0, 3);
  const std::vector<double> before = values_of(run.model->params(), 1);
  run.steps(3, 8);
  EXPECT_EQ(values_of(run.model->params(), 1), before);
  EXPECT_FALSE(run.trainer->all_frozen());
}

TEST(FaultText, ThatNamesNothingIsRefused) {
  for (const char* text : {"7",
                           "7:3",
                           "x:3:loop.1.state_out",
                           "9:0:loop.1.state_out",
                           "7:0:loop.1.state_oat",
                           "7:0:param.core.9.weight",
                           "7:0:grad.nothing"}) {
    TrainCase c = fault_case();
    c.train.plant_nan = text;
    Training run(c, kSeeds);
    EXPECT_THROW(run.trainer->step(0), Error) << text;
  }
}

/// The weights of every step, averaged by hand.
TEST(WeightAverage, IsTheExponentialAverageAndSwapsInAndOut) {
  TrainCase c = tiny_case();
  c.train.ema = 0.8;
  Training run(c, kSeeds);
  std::vector<double> want = values_of(run.model->params(), 2);
  for (int64_t step = 0; step < 5; ++step) {
    run.trainer->step(step);
    const std::vector<double> now = values_of(run.model->params(), 2);
    for (size_t i = 0; i < want.size(); ++i) {
      want[i] = 0.8 * want[i] + 0.2 * now[i];
    }
  }
  const std::vector<double> weights = values_of(run.model->params(), 2);
  run.trainer->optimiser().swap_average();
  const std::vector<double> average = values_of(run.model->params(), 2);
  for (size_t i = 0; i < want.size(); ++i) {
    EXPECT_NEAR(average[i], want[i], 1e-6);
  }
  EXPECT_NE(average, weights);
  run.trainer->optimiser().swap_average();
  EXPECT_EQ(values_of(run.model->params(), 2), weights);
}

TEST(LearningRate, WarmsUpStaysAndFalls) {
  OptimiserSettings s;
  s.lr = 2;
  s.warmup = 4;
  s.steps = 20;
  s.decay = 0.5;
  s.floor = 0.1;
  EXPECT_DOUBLE_EQ(s.lr_at(0), 0.5);
  EXPECT_DOUBLE_EQ(s.lr_at(3), 2);
  EXPECT_DOUBLE_EQ(s.lr_at(10), 2);
  EXPECT_DOUBLE_EQ(s.lr_at(15), 2 * (0.1 + 0.9 * 0.5));
  EXPECT_DOUBLE_EQ(s.lr_at(20), 0.2);
  EXPECT_DOUBLE_EQ(s.lr_at(1000), 0.2);
  s.decay = 0;
  s.warmup = 0;
  EXPECT_DOUBLE_EQ(s.lr_at(0), 2);
  EXPECT_DOUBLE_EQ(s.lr_at(1000), 2);
}

TEST(Clipping, CutsTheNormOfEachModelAlone) {
  Params params({3, 7});
  const ParamId w = params.add("w", {2}, Init::zeros());
  OptimiserSettings s;
  s.clip = 1;
  Optimiser optimiser(params, s);
  float* g = params[w].grad.tensor().as<float>();
  g[0] = 3, g[1] = 4;        // norm 5
  g[2] = 0.3f, g[3] = 0.4f;  // norm 0.5
  Arena arena;
  const Context ctx{&arena, 1, {}};
  optimiser.measure(ctx);
  EXPECT_NEAR(optimiser.grad_norm()[0], 5, 1e-6);
  EXPECT_NEAR(optimiser.grad_norm()[1], 0.5, 1e-6);
  optimiser.step(ctx, 0);
  const float* first = optimiser.moments()[0].first.tensor().as<float>();
  EXPECT_NEAR(first[0], (1 - s.beta1) * 0.6, 1e-6);
  EXPECT_NEAR(first[2], (1 - s.beta1) * 0.3, 1e-6);
}

/// A perceptron with one hidden layer, made of Params and differentiable ops alone.
class Perceptron {
 public:
  Perceptron(const std::vector<uint64_t>& seeds) : params(seeds) {
    hidden_ = params.add("hidden.weight", {8, 2}, Init::uniform(1), true);
    hidden_bias_ = params.add("hidden.bias", {8}, Init::uniform(1));
    out_ = params.add("out.weight", {2, 8}, Init::uniform(0.5), true);
  }
  Var operator()(Tape& tape, Var x) {
    const auto param = [&](ParamId id) {
      return tape.parameter(params[id].value, params[id].grad);
    };
    const Var h = ad::matmul(tape, x, param(hidden_), param(hidden_bias_));
    return ad::matmul(tape, ad::activate(tape, ops::Activation::tanh, h), param(out_));
  }
  Params params;

 private:
  ParamId hidden_, hidden_bias_, out_;
};

/// The worst loss of a seed after 300 steps.
double worst_loss_of_exclusive_or(OptimiserKind kind, double lr) {
  Perceptron net(kSeeds);
  OptimiserSettings s;
  s.kind = kind;
  s.lr = lr;
  Optimiser optimiser(net.params, s);
  Arena arena;
  const Context ctx{&arena, 1, {}};
  double worst = 0;
  for (int64_t step = 0; step < 300; ++step) {
    arena.reset();
    Tape tape(ctx, true);
    const Tensor x = make_tensor(arena, {4, 1, 4, 2}, DType::f32);
    const Tensor target = make_tensor(arena, {4, 1, 4}, DType::i32);
    const Tensor weight = make_tensor(arena, {4, 1, 4}, DType::f32);
    for (int i = 0; i < 16; ++i) {
      x.as<float>()[2 * i] = static_cast<float>(i & 1);
      x.as<float>()[2 * i + 1] = static_cast<float>((i >> 1) & 1);
      target.as<int32_t>()[i] = (i & 1) ^ ((i >> 1) & 1);
      weight.as<float>()[i] = 0.25f;
    }
    net.params.zero_grad();
    const Var loss = ad::softmax_xent(tape, net(tape, tape.constant(x)), target, weight);
    tape.seed_grad(loss);
    tape.backward();
    optimiser.measure(ctx);
    optimiser.step(ctx, step);
    worst = 0;
    for (int m = 0; m < 4; ++m) {
      worst = std::max(worst, static_cast<double>(loss.value().as<float>()[m]));
    }
  }
  return worst;
}

TEST(PlainTapeModel, LearnsExclusiveOrWithEveryOptimiser) {
  EXPECT_LT(worst_loss_of_exclusive_or(OptimiserKind::adamw, 0.05), 0.05);
  EXPECT_LT(worst_loss_of_exclusive_or(OptimiserKind::adam_atan2, 0.05), 0.05);
  EXPECT_LT(worst_loss_of_exclusive_or(OptimiserKind::sgd, 0.2), 0.05);
}

TEST(Score, CountsAnswersAndWholeExamples) {
  Batch batch;
  batch.models = 1;
  batch.size = 3;
  batch.positions = 3;
  batch.targets = {1, -1, 2, 0, 0, 0, -1, -1, -1};
  std::vector<int32_t> got = {1, 9, 2, 0, 1, 0, 5, 5, 5};
  const Score s = score_answers(got.data(), batch, 0, {0, 3}, 1);
  EXPECT_EQ(s.right, 4);
  EXPECT_EQ(s.answers, 5);
  EXPECT_EQ(s.right_rows, 1);
  EXPECT_EQ(s.rows, 2);
}

}  // namespace
}  // namespace sv::models_test
