// Models on a device (the executor): forward, gradients, taps and halting against the CPU.
#include "models/device_fixture.h"

#include <cmath>

#include "kernels/autograd/ops.h"

namespace sv::models_test {
namespace {

/// f32 products of up to 16 terms through up to 6 updates, whose norms keep the state near 1: some
/// tens of roundings of 6e-8.
constexpr double kForward = 1e-5;
/// The same back through the updates, summed over 15 positions.
constexpr double kBackward = 1e-4;

/// What a run leaves, in host memory.
struct Result {
  std::vector<std::vector<float>> logits;  // of the models of each readout, in order
  std::vector<float> final, residual;
  std::vector<double> loss;
  std::vector<std::vector<float>> gradients;
  std::vector<int> steps, chosen;
  bool operator==(const Result&) const = default;
};

class Runner {
 public:
  explicit Runner(Reasoner& model) : model_(model), memory_(device(), size_t{1} << 20) {}
  Device* device() const { return model_.params().device(); }

  Result run(const Data& data, const Plan& plan, bool backward = false) {
    memory_.reset();
    const Context ctx = memory_.context(1);
    Tape tape(ctx, backward);
    Inputs in = data.inputs();
    for (Tensor* x : in.tensors()) {  // not the ids
      *x = to_device(ctx, *x);
    }
    Trajectory out;
    unroll(model_, in, plan, tape, out);
    Result r;
    r.steps = out.steps;
    r.chosen = out.chosen;
    r.final = numbers(device(), out.final[0].value());
    if (out.residual) {
      r.residual = numbers(device(), out.residual);
    }
    for (const Readout& y : out.readouts) {
      keep_listed(y, r);
    }
    if (out.exit_logits) {
      r.logits.push_back(numbers(device(), out.exit_logits));
    }
    if (backward) {
      differentiate(tape, data, out, r);
    }
    return r;
  }

 private:
  void keep_listed(const Readout& y, Result& r) {
    const Tensor all = y.logits.value();
    for (int m = 0; m < model_.models(); ++m) {
      if (y.models.empty() || std::ranges::find(y.models, m) != y.models.end()) {
        r.logits.push_back(numbers(device(), all.slice(m, 1)));
      }
    }
  }
  void differentiate(Tape& tape, const Data& data, const Trajectory& out, Result& r) {
    const Context& ctx = tape.ctx;
    model_.params().zero_grad();
    const Tensor targets = to_device(ctx, data.targets());
    const auto filled = [&](const Shape& shape, float value) {
      const Tensor x = host_tensor(ctx, shape, DType::f32);
      std::fill_n(x.as<float>(), x.numel(), value);
      return to_device(ctx, x);
    };
    const Tensor weight = filled(targets.shape, 0.25F);
    const Tensor ones = filled({model_.models(), targets.dim(1)}, 1);
    for (const Readout& y : out.readouts) {
      tape.ctx.models = y.models;
      Var loss = ad::softmax_xent(tape, y.logits, targets, weight);
      if (y.halt) {
        loss = ad::add(tape, loss, ad::sigmoid_xent(tape, y.halt, ones, ones));
      }
      tape.seed_grad(loss);
      const Tensor value = to_host(tape.ctx, loss.value());
      for (int i = 0; i < tape.ctx.model_count(value); ++i) {
        r.loss.push_back(element(value, tape.ctx.model(i)));
      }
    }
    tape.ctx.models = {};
    tape.backward();
    for (const Param& p : model_.params()) {
      r.gradients.push_back(numbers(device(), p.grad));
    }
  }

  Reasoner& model_;
  Workspace memory_;
};

void expect_near(const Result& got, const Result& want) {
  EXPECT_EQ(got.steps, want.steps);
  EXPECT_EQ(got.chosen, want.chosen);
  EXPECT_LT(distance(got.final, want.final), kForward);
  EXPECT_LT(distance(got.residual, want.residual), kForward);
  ASSERT_EQ(got.logits.size(), want.logits.size());
  for (size_t i = 0; i < want.logits.size(); ++i) {
    EXPECT_LT(distance(got.logits[i], want.logits[i]), kForward) << "readout " << i;
  }
  ASSERT_EQ(got.loss.size(), want.loss.size());
  for (size_t i = 0; i < want.loss.size(); ++i) {
    EXPECT_NEAR(got.loss[i], want.loss[i], kForward * (1 + want.loss[i]));
  }
  ASSERT_EQ(got.gradients.size(), want.gradients.size());
  for (size_t i = 0; i < want.gradients.size(); ++i) {
    EXPECT_LT(distance(got.gradients[i], want.gradients[i]), kBackward) << "parameter " << i;
  }
}

const std::vector<uint64_t> kSeeds = {3, 7};

using DeviceModel = DeviceTest;

TEST_F(DeviceModel, StartsWithTheBitsOfTheCpu) {
  const ModelSettings s = setting("learned");
  const auto cpu = make_reasoner({s, tiny_task(), kSeeds, DType::f32});
  const auto there = make_reasoner({s, tiny_task(), kSeeds, DType::f32, &device_});
  Runner(*there).run(Data(kSeeds, 1), plan_of("1"));
  for (size_t i = 0; i < cpu->params().size(); ++i) {
    const auto id = static_cast<ParamId>(i);
    EXPECT_EQ(numbers(&device_, there->params()[id].value),
              numbers(nullptr, cpu->params()[id].value))
        << cpu->params()[id].name;
  }
}

/// looped and feedforward run on a device in every setting. Another family matches the CPU too, or
/// is refused with the name of the op that has no kernels.
TEST_F(DeviceModel, ForwardAndGradientsMatchTheCpuInEverySetting) {
  for (const Setting& s : all_settings()) {
    SCOPED_TRACE(s.name);
    const auto cpu = make_model(s.model, kSeeds, DType::f32);
    const auto there = copy_on(&device_, s.model, *cpu);
    const Data data(kSeeds, 3, s.name == "add" || s.name == "learned");
    Plan plan = plan_of("1..3", SaveAt::Readouts::every, {Gradient::Kind::full, 1});
    plan.save.residual = true;
    try {
      expect_near(Runner(*there).run(data, plan, true), Runner(*cpu).run(data, plan, true));
    } catch (const Error& e) {
      const std::string text = e.what();
      EXPECT_NE(text.find(" has no kernels for a device yet"), std::string::npos) << text;
      EXPECT_TRUE(s.model.name != "looped" && s.model.name != "feedforward") << text;
    }
  }
}

TEST_F(DeviceModel, EveryGradientMatchesTheCpu) {
  const ModelSettings s = setting("concat");
  const auto cpu = make_model(s, kSeeds, DType::f32);
  const auto there = copy_on(&device_, s, *cpu);
  const Data data(kSeeds, 2);
  using Kind = Gradient::Kind;
  for (const Gradient g :
       {Gradient{Kind::last_k, 2}, Gradient{Kind::one_step, 1}, Gradient{Kind::checkpoint, 2}}) {
    const Plan plan = plan_of("2..4", SaveAt::Readouts::last, g);
    expect_near(Runner(*there).run(data, plan, true), Runner(*cpu).run(data, plan, true));
  }
}

TEST_F(DeviceModel, HasTheSameBitsEveryTime) {
  const ModelSettings s = setting("sandwich");
  const auto cpu = make_model(s, kSeeds, DType::f32);
  const auto there = copy_on(&device_, s, *cpu);
  const Data data(kSeeds, 2);
  const Plan plan = plan_of("1..3", SaveAt::Readouts::every, {Gradient::Kind::full, 1});
  const Result first = Runner(*there).run(data, plan, true);
  device_.set_schedule(simt::schedules(3).back());
  EXPECT_TRUE(Runner(*there).run(data, plan, true) == first);
}

/// A seed has the bits on a device that it has there in a pack, whatever its neighbours do.
TEST_F(DeviceModel, AModelAloneHasTheBitsItHasInThePack) {
  const ModelSettings s = setting("gated");
  const std::vector<uint64_t> alone = {7};
  const auto pack = make_model(s, kSeeds, DType::f32);
  const auto one = make_model(s, alone, DType::f32);
  const auto there = copy_on(&device_, s, *pack);
  const auto one_there = copy_on(&device_, s, *one);
  const Plan plan = plan_of("1..4", SaveAt::Readouts::last, {Gradient::Kind::full, 1});
  const Result all = Runner(*there).run(Data(kSeeds, 2), plan, true);
  const Result got = Runner(*one_there).run(Data(alone, 2), plan, true);
  ASSERT_FALSE(got.gradients.empty());
  for (size_t i = 0; i < got.gradients.size(); ++i) {
    const size_t n = got.gradients[i].size();
    EXPECT_TRUE(std::equal(
        got.gradients[i].begin(), got.gradients[i].end(), all.gradients[i].begin() + int64_t(n)))
        << "parameter " << i;
  }
}

/// A bound between the halting scores of the rows after the second update.
double learned_threshold(Reasoner& cpu, const Data& data) {
  std::vector<float> scores;
  Tap tap;
  tap.pattern = "loop.2.halt";
  tap.action = [&](const TapEvent& e) { scores = numbers(nullptr, e.x); };
  const Taps taps = {tap};
  Plan plan = plan_of("2");
  plan.taps = &taps;
  Runner(cpu).run(data, plan);
  std::ranges::sort(scores);
  const size_t half = scores.size() / 2;
  return static_cast<double>(scores[half - 1] + scores[half]) / 2;
}

TEST_F(DeviceModel, RowsHaltWhereTheyDoOnTheCpu) {
  using Kind = Halt::Kind;
  const ModelSettings s = setting("halt_head");
  const auto cpu = make_model(s, kSeeds, DType::f32);
  const auto there = copy_on(&device_, s, *cpu);
  const Data data(kSeeds, 5, true);
  for (const Halt& rule : {Halt{Kind::change, 0.4, 1},
                           Halt{Kind::divergence, 0.02, 1},
                           Halt{Kind::entropy, 0.02, 1},
                           Halt{Kind::patience, 2, 1},
                           Halt{Kind::confident, 0, 1},
                           Halt{Kind::sample, 0, 1},
                           Halt{Kind::learned, learned_threshold(*cpu, data), 2}}) {
    SCOPED_TRACE(static_cast<int>(rule.kind));
    Plan plan = plan_of("8");
    plan.halt = rule;
    const Result want = Runner(*cpu).run(data, plan);
    EXPECT_NE(std::ranges::min(want.chosen), std::ranges::max(want.chosen)) << "no row stops early";
    expect_near(Runner(*there).run(data, plan), want);
    plan.save.states = {2};  // rows stay in the batch
    expect_near(Runner(*there).run(data, plan), want);
  }
}

TEST_F(DeviceModel, RefusesWhatADeviceCannotDo) {
  const ModelSettings s = setting("add");
  EXPECT_THROW(make_reasoner({s, tiny_task(), kSeeds, DType::f64, &device_}), Error);
  const auto there = make_reasoner({s, tiny_task(), kSeeds, DType::f32, &device_});
  Arena arena;
  Tape tape({&arena, 1, {}}, false);
  Trajectory out;
  try {
    unroll(*there, Data(kSeeds, 1).inputs(), plan_of("1"), tape, out);
    FAIL() << "a model on a device ran on the CPU";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("simt, its run is on the CPU"), std::string::npos)
        << e.what();
  }
  Runner(*there).run(Data(kSeeds, 1), plan_of("1"));
}

/// A tap at a site, and what it saw.
struct Seen {
  std::vector<std::vector<float>> values;
  Tap tap(const std::string& pattern) {
    Tap t;
    t.pattern = pattern;
    t.action = [this](const TapEvent& e) { values.push_back(numbers(nullptr, e.x)); };
    return t;
  }
};

Tap writing(const std::string& pattern, Tap::Kind kind, std::function<void(const TapEvent&)> f) {
  Tap t;
  t.pattern = pattern;
  t.kind = kind;
  t.action = std::move(f);
  return t;
}

TEST_F(DeviceModel, TapsReadWhatTheyReadOnTheCpu) {
  const ModelSettings s = setting("prelude_coda");
  const auto cpu = make_model(s, kSeeds, DType::f32);
  const auto there = copy_on(&device_, s, *cpu);
  const Data data(kSeeds, 2);
  for (const char* pattern : {"encode.encoded",
                              "loop.*.state_in",
                              "loop.*.state_out",
                              "loop.*.block.*.*",
                              "loop.2.injected",
                              "readout.*.logits"}) {
    SCOPED_TRACE(pattern);
    Seen here, other;
    const Taps a = {here.tap(pattern)}, b = {other.tap(pattern)};
    Plan plan = plan_of("2");
    plan.taps = &a;
    Runner(*cpu).run(data, plan);
    plan.taps = &b;
    Runner(*there).run(data, plan);
    ASSERT_EQ(other.values.size(), here.values.size());
    for (size_t i = 0; i < here.values.size(); ++i) {
      EXPECT_LT(distance(other.values[i], here.values[i]), kForward) << "event " << i;
    }
  }
}

TEST_F(DeviceModel, TapsWriteAsOnTheCpuAndRouteGradientsAsThere) {
  const ModelSettings s = setting("add");
  const auto cpu = make_model(s, kSeeds, DType::f32);
  const auto there = copy_on(&device_, s, *cpu);
  const Data data(kSeeds, 2);
  for (const Tap::Kind kind : {Tap::Kind::replace, Tap::Kind::add}) {
    Taps taps = {writing("loop.2.block.0.mlp_out", kind, [](const TapEvent& e) {
      for_each_selected(e.x, e.select, e.models, [&](int64_t at, int64_t n) {
        for (int64_t i = at; i < at + n; ++i) {
          e.x.as<float>()[i] += 0.25F;
        }
      });
    })};
    taps[0].select.models = {1};
    taps[0].select.positions = {0, 2};
    Plan plan = plan_of("3", SaveAt::Readouts::last, {Gradient::Kind::full, 1});
    const Result plain = Runner(*there).run(data, plan, true);
    plan.taps = &taps;
    const Result got = Runner(*there).run(data, plan, true);
    expect_near(got, Runner(*cpu).run(data, plan, true));
    EXPECT_EQ(got.logits[0], plain.logits[0]) << "a tap on model 1 changed model 0";
    EXPECT_NE(got.logits[1], plain.logits[1]) << "the write is without effect";
  }
}

TEST_F(DeviceModel, WritingBackWhatWasReadIsNothingAndReadsSeeWrites) {
  const ModelSettings s = setting("rope_grouped");
  const auto there = copy_on(&device_, s, *make_model(s, kSeeds, DType::f32));
  const Data data(kSeeds, 2);
  Plan plan = plan_of("3");
  const Result plain = Runner(*there).run(data, plan);
  for (const char* pattern :
       {"loop.2.state_in", "loop.*.block.0.q", "loop.3.block.0.attn_pattern"}) {
    const Taps identity = {writing(pattern, Tap::Kind::replace, [](const TapEvent&) {})};
    plan.taps = &identity;
    EXPECT_TRUE(Runner(*there).run(data, plan) == plain) << pattern;
  }
  Seen seen;
  const Taps taps = {
      writing("loop.2.state_out", Tap::Kind::replace, [](const TapEvent& e) { e.x.zero(); }),
      seen.tap("loop.2.state_out"),
      seen.tap("loop.3.state_in")};
  plan.taps = &taps;
  Runner(*there).run(data, plan);
  ASSERT_EQ(seen.values.size(), 2U);
  for (const std::vector<float>& x : seen.values) {
    EXPECT_TRUE(std::ranges::all_of(x, [](float v) { return v == 0; }));
  }
}

}  // namespace
}  // namespace sv::models_test
