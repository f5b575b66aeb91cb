// Models on a device (the executor): forward, gradients and halting against the CPU.
#include "models/device_fixture.h"

namespace sv::models_test {
namespace {

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

TEST_F(DeviceModel, ForwardAndGradientsMatchTheCpuInEverySetting) {
  for (const Setting& s : all_settings()) {
    SCOPED_TRACE(s.name);
    const auto cpu = make_model(s.model, kSeeds, DType::f32);
    const auto there = copy_on(&device_, s.model, *cpu);
    const Data data(kSeeds, 3, s.name == "add" || s.name == "learned");
    Plan plan = plan_of("1..3", SaveAt::Readouts::every, {Gradient::Kind::full, 1});
    plan.save.residual = true;
    const bool all_kernels = s.model.name == "looped" || s.model.name == "feedforward";
    try {
      expect_near(Runner(*there).run(data, plan, true), Runner(*cpu).run(data, plan, true));
    } catch (const Error& e) {  // a family of which some op has no kernel says so
      EXPECT_NE(std::string(e.what()).find("on the CPU"), std::string::npos) << e.what();
      EXPECT_FALSE(all_kernels) << e.what();
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
    Runner runner(*there);
    for (const bool stay : {false, true}) {
      plan.save.states = stay ? std::vector<int>{2} : std::vector<int>{};  // rows stay in the batch
      expect_near(runner.run(data, plan), want);
      EXPECT_EQ(runner.waits(), 1 + std::ranges::max(want.steps)) << "lengths, then scores";
    }
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

}  // namespace
}  // namespace sv::models_test
