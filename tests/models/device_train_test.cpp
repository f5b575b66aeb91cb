// Training and evaluation on a device (the executor) against the CPU: curves, checkpoints that
// cross, faults, scores.
#include <cmath>

#include "data/temp_folder.h"
#include "interp/evaluate.h"
#include "interp/record.h"
#include "models/device_fixture.h"
#include "models/train/checkpoint.h"
#include "models/train_fixture.h"
#include "sanitizers.h"

namespace sv::models_test {
namespace {

const std::vector<uint64_t> kSeeds = {3, 7, 8};
const std::string kDigest = "digest-of-the-settings";
/// Curves of the CPU and of a device part by rounding alone; AdamW's first steps divide it by the
/// gradient's own size.
constexpr double kCurve = 1e-3;

using DeviceTraining = DeviceTest;

/// Losses, gradient norms and accuracies of steps, one after the other.
std::vector<double> curve(Training& run, int64_t begin, int64_t end) {
  std::vector<double> out;
  for (int64_t step = begin; step < end; ++step) {
    run.trainer->step(step);
    const StepStats& s = run.trainer->stats();
    for (const std::vector<double>* list : {&s.loss, &s.grad_norm}) {
      out.insert(out.end(), list->begin(), list->end());
    }
  }
  return out;
}

std::vector<std::vector<float>> weights(Training& run) {
  std::vector<std::vector<float>> out;
  Device* const device = run.model->params().device();
  for (const Param& p : run.model->params()) {
    out.push_back(numbers(device, p.value));
  }
  for (const Optimiser::Moments& m : run.trainer->optimiser().moments()) {
    out.push_back(numbers(device, m.first));
    out.push_back(numbers(device, m.second));
    if (m.average.tensor()) {
      out.push_back(numbers(device, m.average));
    }
  }
  return out;
}

void expect_same_curve(const std::vector<double>& got, const std::vector<double>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < want.size(); ++i) {
    EXPECT_LE(std::abs(got[i] - want[i]), kCurve * std::abs(want[i])) << "number " << i;
  }
}

/// Models of a pack that stop at different updates, a halting head, padded rows, an average.
TrainCase rich_case() {
  TrainCase c = tiny_case();
  c.model.halt_head = true;
  c.train.supervision = "every";
  c.train.ema = 0.9;
  c.ood_size = 6;
  return c;
}

TEST(DeviceOptimiser, RefusesWhatADeviceCannotUpdate) {
  simt::SimtDevice device;
  const auto refusal = [&](OptimiserKind kind, bool sparse_sign) -> std::string {
    Params params(kSeeds, DType::f32, &device);
    params[params.add("table", {3, 2}, Init::zeros())].sparse_sign = sparse_sign;
    OptimiserSettings s;
    s.kind = kind;
    try {
      Optimiser optimiser(params, s);
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  EXPECT_EQ(refusal(OptimiserKind::adamw, false), "");
  for (const auto& [kind, name] : {std::pair{OptimiserKind::adam_atan2, "'adam_atan2'"},
                                   std::pair{OptimiserKind::sgd, "'sgd'"}}) {
    const std::string text = refusal(kind, false);
    EXPECT_NE(text.find(std::string("optimiser ") + name + " has no kernels for a device yet"),
              std::string::npos)
        << text;
  }
  const std::string text = refusal(OptimiserKind::adamw, true);
  EXPECT_NE(text.find("parameter table is updated by signs"), std::string::npos) << text;
}

TEST_F(DeviceTraining, FollowsTheCurveOfTheCpuAndRepeatsItsBits) {
  TrainCase untied = tiny_case();
  untied.model.name = "feedforward";
  untied.model.depth = 3;
  constexpr int64_t kSteps = kSanitized ? 1 : 4;  // where the executor is ten times slower
  for (const TrainCase& c : {tiny_case(), rich_case(), untied}) {
    Training cpu(c, kSeeds), there(c, kSeeds, 1, &device_), again(c, kSeeds, 1, &device_);
    const std::vector<double> got = curve(there, 0, kSteps);
    expect_same_curve(got, curve(cpu, 0, kSteps));
    EXPECT_EQ(there.trainer->stats().accuracy, cpu.trainer->stats().accuracy);
    EXPECT_EQ(curve(again, 0, kSteps), got);
    EXPECT_EQ(weights(again), weights(there));
  }
}

/// Kernels by the ranges around them: step / iteration / block / kernel, as a profiler shows them.
TEST_F(DeviceTraining, ProfilersSeeStepsIterationsAndBlocks) {
  TrainCase c = tiny_case();
  c.model.layers = 2;
  c.depth = "2";
  c.train.gradient = "checkpoint:2";
  Training run(c, kSeeds, 1, &device_);
  const int64_t before = device_.launches();
  run.steps(4, 5);
  EXPECT_EQ(device_.open_ranges(), 0U);
  const std::map<std::string, int64_t>& seen = device_.launches_by_range();
  int64_t in_step = 0;
  for (const auto& [name, count] : seen) {
    in_step += name.starts_with("step 4/") ? count : 0;
  }
  EXPECT_EQ(in_step, device_.launches() - before) << "a kernel of the step outside its range";
  for (const char* within : {"iteration 1/block 0/", "iteration 2/block 1/", "readout 2/"}) {
    EXPECT_TRUE(seen.contains(std::string("step 4/") + within + "rmsnorm_forward")) << within;
  }
  // A recomputed update lies in the backward pass.
  EXPECT_TRUE(seen.contains("step 4/backward/iteration 2/block 0/rmsnorm_forward"));
  EXPECT_TRUE(seen.contains("step 4/backward/rmsnorm_dx"));
  EXPECT_FALSE(seen.contains("step 4/iteration 3/block 0/rmsnorm_forward"));
}

TEST_F(DeviceTraining, RangesEndWhereARunFails) {
  TrainCase c = tiny_case();
  Training run(c, kSeeds, 1, &device_);
  Tap tap;
  tap.pattern = "loop.1.block.0.mlp_out";
  tap.action = [](const TapEvent&) { fail("on purpose"); };
  const Taps taps = {tap};
  Plan plan;
  plan.depth = Depth::fixed(1);
  plan.taps = &taps;
  Workspace memory(&device_);
  Tape tape(memory.context(1), false);
  Trajectory out;
  Batch batch;
  run.data.draw(run.model->params().seeds(), 0, 2, batch);
  EXPECT_THROW(unroll(*run.model, load_inputs(tape.ctx, batch), plan, tape, out), Error);
  EXPECT_EQ(device_.open_ranges(), 0U);
}

/// A batch of several lanes: there the CPU adds gradients in another order.
TEST_F(DeviceTraining, FollowsTheCurveOfSeveralLanes) {
  TrainCase c = tiny_case();
  c.train.batch = 60;
  c.depth = "1..2";
  const std::vector<uint64_t> seeds = {3, 7};
  Training cpu(c, seeds), there(c, seeds, 1, &device_);
  ASSERT_GT(lanes_of(c.train.batch, cpu.task->spec().positions).size(), 1U);
  expect_same_curve(curve(there, 0, 2), curve(cpu, 0, 2));
}

/// Losses, answers and norms come together; a halting head's targets are made on the host.
TEST_F(DeviceTraining, AStepWaitsForTheDeviceOnce) {
  Training run(tiny_case(), kSeeds, 1, &device_);
  TrainCase c = tiny_case();
  c.model.halt_head = true;
  Training halting(c, kSeeds, 1, &device_);
  int64_t waits = device_.waits();
  run.steps(0, 3);
  EXPECT_EQ(device_.waits() - waits, 3);
  waits = device_.waits();
  halting.steps(0, 1);
  EXPECT_GT(device_.waits() - waits, 1);
}

TEST_F(DeviceTraining, ASteadyStepAsksForNoMemory) {
  Training run(rich_case(), kSeeds, 1, &device_);
  run.steps(0, 3);
  const size_t asked = run.trainer->system_allocations(), blocks = device_.memory().count();
  run.steps(3, 6);
  EXPECT_EQ(run.trainer->system_allocations(), asked);
  EXPECT_EQ(device_.memory().count(), blocks);
}

TEST_F(DeviceTraining, CheckpointsGoFromTheCpuToTheDeviceAndBack) {
  const TrainCase c = rich_case();
  const TempFolder folder;
  const auto save = [&](Training& run, int64_t step) {
    save_checkpoint(folder.path(), *run.trainer, {step, kDigest, run.trainer->frozen()});
    return *newest_checkpoint(folder.path());
  };
  Training whole(c, kSeeds);
  const std::vector<double> want = curve(whole, 0, 6);

  Training first(c, kSeeds);
  std::vector<double> got = curve(first, 0, 2);
  const auto before = weights(first);
  Training second(c, kSeeds, 1, &device_);
  EXPECT_EQ(load_checkpoint(save(first, 2), *second.trainer, kDigest).step, 2);
  EXPECT_EQ(weights(second), before) << "a checkpoint changes no bit on its way";
  const std::vector<double> middle = curve(second, 2, 4);
  got.insert(got.end(), middle.begin(), middle.end());

  Training resumed(c, kSeeds, 1, &device_), third(c, kSeeds);
  const std::string path = save(second, 4);
  load_checkpoint(path, *resumed.trainer, kDigest);
  EXPECT_EQ(load_checkpoint(path, *third.trainer, kDigest).step, 4);
  EXPECT_EQ(weights(third), weights(second));
  EXPECT_EQ(curve(resumed, 4, 6), curve(second, 4, 6)) << "resumed on the device, bit for bit";
  const std::vector<double> end = curve(third, 4, 6);
  got.insert(got.end(), end.begin(), end.end());
  expect_same_curve(got, want);
}

TEST_F(DeviceTraining, WeightFilesCrossBothWaysAndAveragesAreSwapped) {
  const TrainCase c = rich_case();
  const TempFolder folder;
  Training there(c, kSeeds, 1, &device_), here(c, kSeeds);
  there.steps(0, 2);
  there.trainer->optimiser().swap_average();
  save_weights(folder / "model.safetensors", there.model->params(), kDigest);
  load_weights(folder / "model.safetensors", here.model->params());
  Training back(c, kSeeds, 1, &device_);
  load_weights(folder / "model.safetensors", back.model->params());
  for (size_t i = 0; i < here.model->params().size(); ++i) {
    const auto id = static_cast<ParamId>(i);
    const auto saved = numbers(&device_, there.model->params()[id].value);
    EXPECT_EQ(numbers(nullptr, here.model->params()[id].value), saved);
    EXPECT_EQ(numbers(&device_, back.model->params()[id].value), saved);
  }
}

TEST_F(DeviceTraining, AFaultFreezesItsOwnSeedAndIsNamedAsOnTheCpu) {
  for (const char* place :
       {"loop.1.block.0.mlp_out", "param.core.0.mlp.up.weight", "grad.embed.tokens"}) {
    SCOPED_TRACE(place);
    TrainCase c = tiny_case(), healthy = c;
    c.train.plant_nan = std::string("7:1:") + place;
    Training cpu(c, kSeeds), there(c, kSeeds, 1, &device_), clean(healthy, kSeeds, 1, &device_);
    for (Training* run : {&cpu, &there, &clean}) {
      run->steps(0, kSanitized ? 2 : 3);
    }
    ASSERT_EQ(there.trainer->frozen().size(), 1U);
    EXPECT_EQ(there.trainer->frozen()[0].seed, 7U);
    EXPECT_EQ(there.trainer->frozen()[0].step, 1);
    EXPECT_EQ(there.trainer->frozen()[0].what, cpu.trainer->frozen()[0].what);
    const auto got = weights(there), want = weights(clean);
    for (size_t i = 0; i < want.size(); ++i) {  // models 0 and 2: as if nothing had happened
      const size_t n = want[i].size() / kSeeds.size();
      EXPECT_TRUE(std::equal(want[i].begin(), want[i].begin() + int64_t(n), got[i].begin()));
      EXPECT_TRUE(std::equal(want[i].end() - int64_t(n), want[i].end(), got[i].end() - int64_t(n)));
    }
  }
}

TEST_F(DeviceTraining, EvaluationScoresAsOnTheCpu) {
  const TrainedPair pair(tiny_case(), kSeeds, &device_);
  const Dataset data(pair.here.task, Split::test, 1, 8);
  EvaluateOptions o;
  o.depths = {1, 2, 4};
  o.run = {3, 1};
  const DepthCurves want = evaluate(*pair.here.model, data, o);
  const DepthCurves got = evaluate(*pair.there.model, data, o);
  EXPECT_EQ(got.accuracy, want.accuracy);
  EXPECT_EQ(got.exact, want.exact);
  for (size_t m = 0; m < kSeeds.size(); ++m) {
    for (size_t d = 0; d < o.depths.size(); ++d) {
      EXPECT_NEAR(got.residual[m][d], want.residual[m][d], 1e-5);
    }
  }
}

TEST_F(DeviceTraining, EvaluationUnderHaltingStopsRowsAsOnTheCpu) {
  const TrainedPair pair(tiny_case(), kSeeds, &device_);
  const Dataset data(pair.here.task, Split::test, 1, 8);
  HaltOptions o;
  o.rule = {Halt::Kind::change, 0.3, 1};
  o.max_depth = 8;
  o.run = {5, 1};
  const HaltResult want = evaluate_halting(*pair.here.model, data, o);
  const HaltResult got = evaluate_halting(*pair.there.model, data, o);
  EXPECT_EQ(got.accuracy, want.accuracy);
  EXPECT_EQ(got.exact, want.exact);
  EXPECT_EQ(got.mean_updates, want.mean_updates);
  EXPECT_EQ(got.count, want.count);
}

TEST_F(DeviceTraining, RecordsWhatIsRecordedOnTheCpu) {
  const TrainedPair pair(tiny_case(), kSeeds, &device_);
  const Dataset data(pair.here.task, Split::test, 1, 5);
  RecordPlan plan;
  plan.sites = {"loop.*.state_out", "readout.*.logits"};
  plan.updates = {1, 3};
  plan.run = {3, 1};
  const auto want = record(*pair.here.model, data, 0, 5, plan);
  const auto got = record(*pair.there.model, data, 0, 5, plan);
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < want.size(); ++i) {
    EXPECT_LT(distance(numbers(nullptr, got[i].data), numbers(nullptr, want[i].data)), 1e-5);
  }
}

}  // namespace
}  // namespace sv::models_test
