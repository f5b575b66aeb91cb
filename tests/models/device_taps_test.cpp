// Taps on a device (the executor) against the CPU: reads that come later, writes with and without
// the host.
#include <cmath>

#include "interp/intervene.h"
#include "models/device_fixture.h"

namespace sv::models_test {
namespace {

const std::vector<uint64_t> kSeeds = {3, 7};

using DeviceTaps = DeviceTest;

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

TEST_F(DeviceTaps, TapsReadWhatTheyReadOnTheCpu) {
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

TEST_F(DeviceTaps, TapsWriteAsOnTheCpuAndRouteGradientsAsThere) {
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

TEST_F(DeviceTaps, WritingBackWhatWasReadIsNothingAndReadsSeeWrites) {
  const ModelSettings s = setting("rope_grouped");
  const auto there = copy_on(&device_, s, *make_model(s, kSeeds, DType::f32));
  const Data data(kSeeds, 2);
  Plan plan = plan_of("3");
  const Result plain = Runner(*there).run(data, plan);
  for (const char* pattern : {"loop.2.state_in", "loop.*.block.0.q", "loop.3.block.0.mlp_hidden"}) {
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

/// The same model on both sides.
struct Both {
  Both(simt::SimtDevice& device, const ModelSettings& s)
      : cpu(make_model(s, kSeeds, DType::f32)), there(copy_on(&device, s, *cpu)), runner(*there) {}

  /// On the device.
  Result run(const Data& data, Plan plan, const Taps& taps) {
    plan.taps = &taps;
    return runner.run(data, plan, plan.gradient.kind != Gradient::Kind::none);
  }

  std::unique_ptr<Reasoner> cpu, there;
  Runner runner;
};

TEST_F(DeviceTaps, ReadsOfARunAreWaitedForOnce) {
  Both both(device_, setting("add"));
  Seen states, logits;
  const Taps taps = {states.tap("loop.*.state_out"), logits.tap("readout.*.logits")};
  both.run(Data(kSeeds, 2), plan_of("4", SaveAt::Readouts::every), taps);
  EXPECT_EQ(both.runner.waits(), 1);
  EXPECT_EQ(states.values.size(), 4U);
  EXPECT_EQ(logits.values.size(), 4U);
}

/// An action that writes may use what earlier ones have read.
TEST_F(DeviceTaps, ActionsAreCalledInTheOrderOfTheFirings) {
  Both both(device_, setting("add"));
  std::vector<std::string> order;
  const auto noting = [&](const char* pattern, Tap::Kind kind) {
    return writing(pattern, kind, [&order](const TapEvent& e) {
      order.push_back(std::string(point_name(e.site.point)) + std::to_string(e.site.r));
      EXPECT_TRUE(std::isfinite(e.x.as<float>()[0]));
    });
  };
  const Taps taps = {noting("loop.*.state_in", Tap::Kind::read),
                     noting("loop.2.block.0.mlp_out", Tap::Kind::add),
                     noting("loop.*.state_out", Tap::Kind::read)};
  both.run(Data(kSeeds, 2), plan_of("3"), taps);
  const std::vector<std::string> want = {
      "state_in1", "state_out1", "state_in2", "mlp_out2", "state_out2", "state_in3", "state_out3"};
  EXPECT_EQ(order, want);
  EXPECT_EQ(both.runner.waits(), 3) << "the reads before the write, its copy, the reads behind it";
}

/// Memory that is rewound while a read is under way, and rows that stop.
TEST_F(DeviceTaps, ReadsUnderHaltingSeeWhoWasStillRunning) {
  Both both(device_, setting("halt_head"));
  const Data data(kSeeds, 5, true);
  Plan plan = plan_of("6");
  plan.halt = {Halt::Kind::change, 0.4, 1};
  std::vector<std::vector<uint8_t>> here, there;
  const auto live = [](std::vector<std::vector<uint8_t>>& out) {
    return writing("loop.*.state_out", Tap::Kind::read, [&out](const TapEvent& e) {
      out.emplace_back(e.live.begin(), e.live.end());
    });
  };
  const Taps a = {live(here)}, b = {live(there)};
  plan.taps = &a;
  const Result want = Runner(*both.cpu).run(data, plan);
  plan.taps = &b;
  expect_near(Runner(*both.there).run(data, plan), want);
  EXPECT_NE(std::ranges::min(want.steps), std::ranges::max(want.steps)) << "no row stops early";
  EXPECT_EQ(there, here);
}

/// 8 MiB a read: the third does not fit beside the first two.
TEST(DeviceReads, AreTakenBeforeTheyAreTooMany) {
  simt::SimtDevice device;
  Workspace memory(&device);
  Tape tape(memory.context(1), false);
  const Tensor x = make_tensor(tape.arena(), {1, 64, 64, 512}, DType::f32);
  zero_tensor(tape.ctx, x);
  int seen = 0;
  Tap tap;
  tap.pattern = "encode.encoded";
  tap.action = [&](const TapEvent& e) { seen += e.x.as<float>()[e.x.numel() - 1] == 0 ? 1 : 0; };
  const Taps taps = {tap};
  const Site site{Phase::encode, Point::encoded, -1, 0, -1};
  const Schedule schedule;
  TapSession session(taps, {&site, 1}, schedule, 0, 1, 1, 64);
  const auto fire = [&] { session.fire(tape, site, tape.constant(x)); };
  fire();
  fire();
  EXPECT_EQ(seen, 0);
  fire();
  EXPECT_EQ(seen, 3);
  EXPECT_EQ(device.waits(), 1);
  fire();
  session.finish_reads();
  EXPECT_EQ(seen, 4);
}

TEST_F(DeviceTaps, AReadThatAFailedRunLeftBehindWritesNothing) {
  Both both(device_, setting("add"));
  Seen seen;
  const Taps taps = {seen.tap("loop.*.state_in")};
  Plan plan = plan_of("2");
  plan.on_update = [](const Update&) { fail("on purpose"); };
  EXPECT_THROW(both.run(Data(kSeeds, 2), plan, taps), Error);
  device_.finish_copies();  // under AddressSanitizer: not into memory that is gone
  EXPECT_TRUE(seen.values.empty());
}

TEST_F(DeviceTaps, NeedSomethingToDo) {
  Both both(device_, setting("add"));
  Tap both_ways = steer({"loop.*.state_out", When::at(1), 1, {}}, {1}, 1);
  both_ways.action = [](const TapEvent&) {};
  Tap reading = both_ways;
  reading.action = nullptr;
  reading.kind = Tap::Kind::read;
  for (const Tap& tap :
       {writing("loop.1.state_out", Tap::Kind::add, nullptr), both_ways, reading}) {
    EXPECT_THROW(both.run(Data(kSeeds, 2), plan_of("1"), {tap}), Error);
  }
  both.run(Data(kSeeds, 2), plan_of("1"), {});
  EXPECT_EQ(both.runner.waits(), 0);
}

/// Every verb that is an edit, on all rows and on some: as on the CPU, and without the host.
TEST_F(DeviceTaps, EditsAreMadeWithoutTheHost) {
  const ModelSettings s = setting("add");
  Both both(device_, s);
  const Data data(kSeeds, 3);
  SiteValues source;
  source.updates = {1, 2, 3};
  source.data = Buffer({2, 3, 3, 5, s.width}, DType::f32);
  float* values = source.data.tensor().as<float>();
  for (int64_t i = 0; i < source.data.tensor().numel(); ++i) {
    values[i] = static_cast<float>(std::sin(0.7 * static_cast<double>(i)));
  }
  Target target{"loop.*.state_out", When::window(2, 2), 3, {}};
  std::vector<double> direction(static_cast<size_t>(s.width), 0.5);
  const Subspace space = Subspace::random(s.width, 2, 9);
  const Plan bare = plan_of("3", SaveAt::Readouts::last, {Gradient::Kind::full, 1});
  const Result plain = Runner(*both.there).run(data, bare, true);
  for (const bool some : {false, true}) {
    if (some) {
      target.select = {{1}, {0, 2}, {1, 3}};
    }
    const std::vector<std::pair<const char*, Tap>> verbs = {
        {"patch_value", patch_value(target, direction)},
        {"patch_from", patch_from(target, source, {2, 0, 1})},
        {"patch_rows", patch_rows(target, source, {2, 0, 1}, {{0, 1}, {}, {3}})},
        {"zero", ablate_zero(target)},
        {"mean", ablate_mean(target, source)},
        {"resample", ablate_resample(target, source, 4)},
        {"steer", steer(target, direction, 1.5)},
        {"project_out", project_out(target, space)},
        {"swap_subspace", swap_subspace(target, space, source)}};
    for (const auto& [name, tap] : verbs) {
      SCOPED_TRACE(name);
      const Taps taps = {tap};
      Plan plan = some ? bare : plan_of("3");
      plan.taps = &taps;
      const Result got = Runner(*both.there).run(data, plan, some);
      expect_near(got, Runner(*both.cpu).run(data, plan, some));
      EXPECT_NE(got.logits[1], plain.logits[1]) << "the edit is without effect";
      EXPECT_TRUE(!some || got.logits[0] == plain.logits[0]) << "an edit of model 1 changed 0";
      both.run(data, plan_of("3"), taps);
      EXPECT_EQ(both.runner.waits(), 0);
    }
  }
  const Taps nothing = {steer(target, direction, 0)};
  Plan plan = bare;
  plan.taps = &nothing;
  EXPECT_TRUE(Runner(*both.there).run(data, plan, true) == plain);
  const Taps noise = {ablate_noise(target, source, 5)};
  plan.taps = &noise;
  plan.gradient = {};
  expect_near(Runner(*both.there).run(data, plan), Runner(*both.cpu).run(data, plan));
}

/// Attention writes its pattern where a tap asks for it and nowhere else, with equal results.
TEST_F(DeviceTaps, PatternsAreWrittenForThoseWhoAsk) {
  ModelSettings s = setting("rope_grouped");
  s.layers = 2;
  Both both(device_, s);
  const Data data(kSeeds, 2);
  const Result plain = both.run(data, plan_of("3"), {});
  EXPECT_EQ(both.runner.blocks().plain, 2 * 2 * 3);
  EXPECT_EQ(both.runner.blocks().patternless, 2 * 2 * 3);
  EXPECT_EQ(both.runner.blocks().fused, 0);
  Seen seen;
  const auto identity =
      writing("loop.2..3.block.1.attn_pattern", Tap::Kind::replace, [](const TapEvent&) {});
  const Result got = both.run(data, plan_of("3"), {seen.tap("loop.2.block.*.q"), identity});
  EXPECT_EQ(both.runner.blocks().patternless, 2 * (2 * 3 - 2));
  EXPECT_EQ(both.runner.blocks().fused_mlp, 2 * 2 * 3);
  EXPECT_LT(distance(got.final, plain.final), kForward);
  EXPECT_EQ(seen.values.size(), 2U);
}

/// An MLP is one call where nobody looks at its hidden units and none has a gradient: the same
/// bits.
TEST_F(DeviceTaps, HiddenUnitsAreWrittenForThoseWhoAsk) {
  ModelSettings s = setting("add");
  Both both(device_, s);
  const Data data(kSeeds, 2);
  const Result plain = both.run(data, plan_of("3"), {});
  EXPECT_EQ(both.runner.blocks().fused_mlp, 2 * 3);
  Seen seen;
  EXPECT_TRUE(both.run(data, plan_of("3"), {seen.tap("loop.2.block.0.mlp_hidden")}) == plain);
  EXPECT_EQ(both.runner.blocks().fused_mlp, 2 * 2);
  EXPECT_EQ(seen.values.size(), 1U);
  const Result trained =
      both.run(data, plan_of("3", SaveAt::Readouts::last, {Gradient::Kind::last_k, 1}), {});
  EXPECT_EQ(both.runner.blocks().fused_mlp, 2 * 2);
  EXPECT_EQ(trained.final, plain.final);
}

TEST_F(DeviceTaps, HeadsTooWideForOneKernelHaveAPattern) {
  ModelSettings s = setting("add");
  s.width = 132;
  s.heads = 1;
  Both both(device_, s);
  const Data data(kSeeds, 1);
  both.run(data, plan_of("1"), {});
  EXPECT_EQ(both.runner.blocks().plain, 2);
  EXPECT_EQ(both.runner.blocks().patternless, 0);
  expect_near(Runner(*both.there).run(data, plan_of("1")),
              Runner(*both.cpu).run(data, plan_of("1")));
}

/// A gradient is cut where the tap selects, also at a site with heads.
TEST_F(DeviceTaps, AReplacedPatternCutsItsGradientAsOnTheCpu) {
  Both both(device_, setting("add"));
  const Data data(kSeeds, 2);
  Taps taps = {writing("loop.2.block.0.attn_pattern", Tap::Kind::replace, [](const TapEvent& e) {
    for_each_selected(e.x, e.select, e.models, [&](int64_t at, int64_t n) {
      std::fill_n(e.x.as<float>() + at, n, 0.2F);
    });
  })};
  taps[0].select = {{0}, {1}, {0, 4}};
  Plan plan = plan_of("2", SaveAt::Readouts::last, {Gradient::Kind::full, 1});
  plan.taps = &taps;
  expect_near(Runner(*both.there).run(data, plan, true), Runner(*both.cpu).run(data, plan, true));
}

}  // namespace
}  // namespace sv::models_test
