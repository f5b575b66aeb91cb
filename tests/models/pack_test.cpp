// The pack: a seed has the same bits alone, in a pack of eight, in any order and with any number of
// threads: weights, losses, taps and halting steps.
#include <algorithm>

#include "models/model_fixture.h"
#include "models/train_fixture.h"

namespace sv::models_test {
namespace {

const std::vector<uint64_t> kEight = {3, 7, 8, 11, 12, 19, 100, 4294967301};

/// What a seed leaves behind after training.
struct Left {
  std::vector<double> weights;
  std::vector<double> moments;
  std::vector<double> losses;
  std::vector<double> norms;
  bool operator==(const Left&) const = default;
};

std::vector<Left> train(const TrainCase& c,
                        const std::vector<uint64_t>& seeds,
                        int threads,
                        int64_t steps = 6) {
  Training run(c, seeds, threads);
  std::vector<Left> out(seeds.size());
  for (int64_t step = 0; step < steps; ++step) {
    run.trainer->step(step);
    for (size_t m = 0; m < seeds.size(); ++m) {
      out[m].losses.push_back(run.trainer->stats().loss[m]);
      out[m].losses.push_back(run.trainer->stats().accuracy[m]);
      out[m].norms.push_back(run.trainer->stats().grad_norm[m]);
    }
  }
  for (size_t m = 0; m < seeds.size(); ++m) {
    out[m].weights = values_of(run.model->params(), static_cast<int>(m));
    for (const Optimiser::Moments& x : run.trainer->optimiser().moments()) {
      for (const Buffer* b : {&x.first, &x.second}) {
        const Tensor mine = b->tensor().slice(static_cast<int64_t>(m), 1);
        out[m].moments.insert(
            out[m].moments.end(), mine.as<float>(), mine.as<float>() + mine.numel());
      }
    }
  }
  return out;
}

TrainCase case_of(const std::string& name) {
  TrainCase c = tiny_case();
  if (name == "every") {
    c.train.supervision = "every";
    c.ood_size = 7;  // padded
  } else if (name == "last_k") {
    c.train.supervision = "every";
    c.train.gradient = "last:2";
    c.depth = "1..4";
  } else if (name == "lanes") {
    c.size = c.ood_size = 16;
    c.train.batch = 41;
  } else if (name == "checkpoint") {
    c.train.gradient = "checkpoint:2";
    c.train.ema = 0.9;
    c.model.init = "input";
  } else if (name == "gated") {
    c.model.injection = "gated";
    c.model.halt_head = true;
    c.model.init = "normal";
    c.model.prelude = c.model.coda = 1;
  }
  return c;
}

class Pack : public testing::TestWithParam<std::string> {};

TEST_P(Pack, EverySeedTrainsToTheBitsItHasAlone) {
  const TrainCase c = case_of(GetParam());
  const std::vector<Left> pack = train(c, kEight, 2);
  for (size_t m = 0; m < kEight.size(); ++m) {
    const Left alone = train(c, {kEight[m]}, 1).at(0);
    EXPECT_EQ(alone.losses, pack[m].losses) << "seed " << kEight[m];
    EXPECT_EQ(alone.norms, pack[m].norms) << "seed " << kEight[m];
    EXPECT_EQ(alone.moments, pack[m].moments) << "seed " << kEight[m];
    EXPECT_EQ(alone.weights, pack[m].weights) << "seed " << kEight[m];
  }
}

TEST_P(Pack, OrderDoesNotMatter) {
  const TrainCase c = case_of(GetParam());
  const std::vector<Left> forward = train(c, kEight, 1);
  std::vector<uint64_t> reversed(kEight.rbegin(), kEight.rend());
  std::vector<Left> backward = train(c, reversed, 1);
  std::reverse(backward.begin(), backward.end());
  EXPECT_TRUE(forward == backward);
}

TEST_P(Pack, ThreadsDoNotMatter) {
  const TrainCase c = case_of(GetParam());
  const std::vector<Left> one = train(c, kEight, 1);
  EXPECT_TRUE(one == train(c, kEight, 2));
  EXPECT_TRUE(one == train(c, kEight, 4));
}

INSTANTIATE_TEST_SUITE_P(Training,
                         Pack,
                         testing::Values("last", "every", "last_k", "lanes", "checkpoint", "gated"),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           std::erase(name, '_');
                           return name;
                         });

TEST(PackOfSeveralLanes, ThreadsDoNotMatterAfterTwoHundredSteps) {
  TrainCase c = case_of("lanes");
  c.train.steps = 200;
  const std::vector<Left> one = train(c, {3, 7}, 1, 200);
  EXPECT_TRUE(one == train(c, {3, 7}, 2, 200));
  EXPECT_TRUE(one == train(c, {3, 7}, 4, 200));
}

/// The same seed trained twice in one process.
TEST(Repetition, SameSeedSameBits) {
  EXPECT_TRUE(train(tiny_case(), kEight, 2) == train(tiny_case(), kEight, 2));
}

/// A pack of eight whose fourth model is the control: alone, the control gives the same bits.
TEST(ControlInThePack, HasTheBitsItHasAlone) {
  TrainCase c = tiny_case();
  c.model.without_injection = {11};
  const Left pack = train(c, kEight, 1).at(3);
  const Left alone = train(c, {11}, 1).at(0);
  EXPECT_TRUE(alone == pack);
}

struct Seen {
  std::vector<std::vector<std::byte>> taps;
  std::vector<int> steps;
  std::vector<std::byte> exit;
  bool operator==(const Seen&) const = default;
};

/// Reads every site of a halting run; what model m leaves.
Seen observe(const std::vector<uint64_t>& seeds, size_t m, int threads) {
  const auto model = make_model(setting("halt_head"), seeds, DType::f32);
  const Data data(seeds, 6, true);
  Seen seen;
  Taps taps;
  for (const char* pattern :
       {"encode.encoded", "loop.*.*", "loop.*.block.*.*", "readout.*.logits"}) {
    Tap tap;
    tap.pattern = pattern;
    tap.action = [&](const TapEvent& e) {
      const bool listed =
          e.models.empty() ||
          std::find(e.models.begin(), e.models.end(), static_cast<int>(m)) != e.models.end();
      if (listed) {
        seen.taps.push_back(bytes_of(e.x.slice(static_cast<int64_t>(m), 1)));
      }
    };
    taps.push_back(tap);
  }
  Plan plan = plan_of("2..12");
  plan.halt = {Halt::Kind::change, 0.2, 2};
  plan.taps = &taps;
  ModelRun run(*model, threads);
  const Trajectory& out = run.forward(data.inputs(), plan);
  seen.steps.assign(out.steps.begin() + static_cast<std::ptrdiff_t>(m * 6),
                    out.steps.begin() + static_cast<std::ptrdiff_t>(m * 6 + 6));
  seen.exit = bytes_of(out.exit_logits.slice(static_cast<int64_t>(m), 1));
  return seen;
}

TEST(PackOfEight, TapsAndHaltingStepsAreThoseOfTheSeedAlone) {
  std::vector<int> all;
  for (size_t m = 0; m < kEight.size(); ++m) {
    const Seen alone = observe({kEight[m]}, 0, 1);
    all.insert(all.end(), alone.steps.begin(), alone.steps.end());
    EXPECT_FALSE(alone.taps.empty());
    EXPECT_TRUE(alone == observe(kEight, m, 2)) << "seed " << kEight[m];
  }
  // The law is empty unless rows stop at different updates.
  EXPECT_LT(*std::min_element(all.begin(), all.end()), *std::max_element(all.begin(), all.end()));
}

}  // namespace
}  // namespace sv::models_test
